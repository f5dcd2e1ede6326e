"""The only room that runs git. It knows no models and no Django; values come in as arguments.

`runner` starts git, `values` and `remotes` decide what may reach it, `repository` reads, `mirror` keeps copies.
"""
