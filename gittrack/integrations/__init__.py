"""Callbacks and loggers for frameworks, over `gittrack.Run`, each in a module of the framework's name.

They log to the run that they are given, else to the one that is open in the process, else to one of their own, which
they end with the training. A module is imported by name, so that only the frameworks that are used are loaded.
"""
