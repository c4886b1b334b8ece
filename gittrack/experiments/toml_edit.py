"""Change one value in a TOML document."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gittrack.experiments.overrides import Override


def edit_toml(text: str, override: Override) -> Iterator[str]:
    """Change one value in a TOML document, of which tomlkit keeps the rest.

    Args:
        text: A document that tomllib reads.
        override: The change.

    Yields:
        The new text.

    Raises:
        OverrideError: The value is one that TOML does not have.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    if override.value is None and not override.removes:
        override.refuse("TOML has no null", "remove the key instead: ~KEY")
    try:
        document = tomlkit.parse(text)
        override.change(document)
        yield tomlkit.dumps(document)
    except (TOMLKitError, ValueError) as error:
        override.refuse(str(error), "edit it by hand")
