"""Names of experiments: which are valid, and how one is made up."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from gittrack.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMESPACE = "refs/gittrack/exps"
REMOTES_NAMESPACE = "refs/gittrack/remotes"
TRASH_NAMESPACE = "refs/gittrack/trash"
MAX_NAME_LENGTH = 100

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_HEX_ID = re.compile(r"[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")
_REF = re.compile(
    r"refs/gittrack/(?:remotes/([^\n]+)/)?exps/([0-9a-f]{64}|[0-9a-f]{40})/"
    rf"(?!(?:{_HEX_ID.pattern})\Z)({_NAME.pattern})"
)
_ADJECTIVES = (  # noqa: SIM905  words read best as text
    "able agile airy amber ample apt arid aqua ashen azure bald basic bold brave brief bright brisk broad bronze "
    "busy calm candid chief chilly civil clean clear clever close cold cool coral cosy crisp cubic curly cyan "
    "dapper daring dear deep deft dense dewy dizzy dry dusky eager early easy elder epic equal even exact fair "
    "famed fancy fast few fine firm fit fleet fluent flying fond frank free fresh full funny gentle giant glad "
    "golden good grand great green grey handy happy hardy hasty hazel high holy honest huge humble icy ideal "
    "indigo inner ivory jade jolly keen kind large late lean level light lilac lime little lively local long loud "
    "loyal lucky lunar lush major mellow merry mighty mild minor mint misty modest mossy neat new nice nimble "
    "noble novel oaken odd olive open outer pale patient plain plucky plum polar polite prime proud pure quick "
    "quiet rapid rare ready red regal rich ripe robust rosy round royal ruby rustic safe sage sandy sharp shiny "
    "short silent silky silver simple sleek slim slow smart smooth snowy social soft solar solid sound spare "
    "spicy stable steady steep still stoic strong sturdy subtle sunny super sure sweet swift tall tame tawny teal "
    "tender thin tidy tiny topaz tough trim true upbeat urban vast velvet vivid vocal warm wary whole wide wild "
    "windy wise witty young zesty"
).split()
_NOUNS = (  # noqa: SIM905  words read best as text
    "acorn adder agave alder apple arrow aspen atlas auk badger bamboo basin bay beach beacon bear beaver beech "
    "bell birch bison bobcat bonsai brook canyon cedar cherry cliff clover cobra comet condor coral crane creek "
    "cricket crow dahlia daisy dale deer delta desert dingo dolphin dove dune eagle egret elk elm ember falcon "
    "fern ferret field finch fir fjord flame forest fox frog gale gecko geyser ginkgo glacier glade goose grove "
    "gull harbor hare harvest hawk hazel heath heron hill holly hornet ibex ibis iris island ivy jackal jaguar "
    "jay juniper kestrel kite koala lagoon lake lark laurel leaf lemur lichen lily lion llama lotus lynx magpie "
    "mango maple marlin marsh marten meadow mesa meteor mink mole moon moose moss moth newt nova oak oasis ocean "
    "olive onyx opal orca orchid oriole osprey otter owl palm panda panther parrot peak pearl pelican petal pine "
    "planet plover poplar poppy prairie puffin puma quail quartz rabbit rain raven reed reef ridge river robin "
    "rose sage salmon seal sequoia shark shore sky sloth snail snow sparrow spruce squid star stone stork storm "
    "stream summit sun swan swift tapir tern thistle thrush tiger toad topaz trout tulip tuna turtle valley viper "
    "vole walnut walrus wave weasel whale willow wind wolf wombat wren yak yew zebra zinnia"
).split()


class InvalidNameError(UsageError):
    """A name cannot be that of an experiment."""


class ExperimentRef(NamedTuple):
    """The identity of an experiment, and where it was seen.

    Attributes:
        baseline: The commit it starts from, 40 or 64 hex; all zeros when it started before the first commit.
        name: Its name, unique under the baseline.
        remote: The remote it was last seen on; None for a local one.
    """

    baseline: str
    name: str
    remote: str | None = None

    @property
    def ref(self) -> str:
        """The full name of its ref."""
        if self.remote is None:
            return f"{NAMESPACE}/{self.baseline}/{self.name}"
        return f"{REMOTES_NAMESPACE}/{self.remote}/exps/{self.baseline}/{self.name}"

    @property
    def label(self) -> str:
        """How it is shown: ``name``, or ``remote/name``."""
        return self.name if self.remote is None else f"{self.remote}/{self.name}"


def check_name(name: object) -> str:
    """Return a valid name of an experiment.

    Args:
        name: One to 100 letters, digits, ``.``, ``_`` and ``-``, beginning with a letter or digit.

    Raises:
        InvalidNameError: It is of another form, git would refuse it in a ref, or it looks like an object id.
    """
    if not isinstance(name, str):
        raise InvalidNameError(f"an experiment's name must be a string, not {type(name).__name__}")
    if not _NAME.fullmatch(name) or ".." in name or name.endswith((".", ".lock")):
        raise InvalidNameError(
            f"not a valid name for an experiment: {name[:120]!r}",
            hint="use 1 to 100 letters, digits, '.', '_' and '-', beginning with a letter or digit",
        )
    if _HEX_ID.fullmatch(name):
        raise InvalidNameError(f"a name cannot look like a commit id: {name!r}")
    return name


def generate_name() -> str:
    """Return a name such as ``brave-otter``, from a source that no seed influences."""
    return f"{_choose(_ADJECTIVES)}-{_choose(_NOUNS)}"


def parse_ref(ref: str) -> ExperimentRef | None:
    """Return the identity behind a ref, or None when it is not that of an experiment.

    Args:
        ref: A full ref name, perhaps from a hostile remote.

    Example:
        >>> parse_ref("refs/gittrack/exps/" + "a" * 40 + "/brave-otter").name
        'brave-otter'
    """
    match = _REF.fullmatch(ref)
    if match is None:
        return None
    remote, baseline, name = match.groups()
    return ExperimentRef(baseline, name, remote)


def _choose(words: Sequence[str]) -> str:
    # Not by `random`: a training script that seeds it would give every run the same name.
    return words[int.from_bytes(os.urandom(8), "big") % len(words)]
