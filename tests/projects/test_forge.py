"""Addresses in the forge, from the address of the remote alone."""

from __future__ import annotations

import pytest

from releases.projects.forge import compare_url, web_address


@pytest.mark.parametrize(
    ("remote", "web"),
    [
        ("https://github.com/org/shop.git", "https://github.com/org/shop"),
        ("https://user:secret@github.com/org/shop", "https://github.com/org/shop"),
        ("git@gitlab.example.org:group/sub/shop.git", "https://gitlab.example.org/group/sub/shop"),
        ("ssh://git@git.example.org:2222/org/shop.git", "https://git.example.org/org/shop"),
        ("http://gitea.example.org:3000/org/shop", "http://gitea.example.org:3000/org/shop"),
        ("/srv/git/shop.git", ""),
        ("file:///srv/git/shop.git", ""),
        ("git://example.org/shop.git", ""),
        ("https://exa mple.org/org/shop", ""),
        ("https://[bad/org/shop", ""),
        ("javascript:alert(1)", ""),
    ],
)
def test_where_a_browser_finds_the_repository(remote: str, web: str) -> None:
    assert web_address(remote) == web


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("git@github.com:org/shop.git", "https://github.com/org/shop/compare/develop...mergeback%2FT-1%3C?expand=1"),
        (
            "https://gitlab.com/org/shop.git",
            "https://gitlab.com/org/shop/-/merge_requests/new?merge_request%5Bsource_branch%5D=mergeback%2FT-1%3C"
            "&merge_request%5Btarget_branch%5D=develop",
        ),
        ("https://codeberg.org/org/shop", "https://codeberg.org/org/shop/compare/develop...mergeback%2FT-1%3C"),
        ("git@bitbucket.org:org/shop.git",
         "https://bitbucket.org/org/shop/pull-requests/new?source=mergeback%2FT-1%3C&dest=develop"),
        ("git@git.example.org:org/shop.git", ""),
        ("/srv/git/github/shop.git", ""),
    ],
)  # fmt: skip
def test_where_a_branch_is_compared(remote: str, url: str) -> None:
    assert compare_url(remote, "develop", "mergeback/T-1<") == url
