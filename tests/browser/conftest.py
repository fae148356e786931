"""The fixtures of every test that looks at a page."""

from browsing import axe, chromium, visit  # noqa: F401
