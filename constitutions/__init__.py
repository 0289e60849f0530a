"""Constitutions that ship with the project, as YAML files beside this one."""
