"""Selectors: functions of the state that compute again only when what they read has changed.

``create_selector(select_items, select_filter, visible)`` is Redux's: input selectors read, a result
function computes, and as state keeps its identity where nothing changed, ``is`` tells whether there
is anything to compute. ``weak_map`` and ``lru`` remember, ``creating`` puts selectors together,
``checks`` finds those that forget.
"""

from crdtstore.selectors.checks import set_global_dev_mode_checks
from crdtstore.selectors.creating import (
    create_draft_safe_selector,
    create_draft_safe_selector_creator,
    create_selector,
    create_selector_creator,
    create_structured_selector,
)
from crdtstore.selectors.creators import SelectorCreator, TypedSelectorCreator
from crdtstore.selectors.identity import reference_equality_check
from crdtstore.selectors.lru import lru_memoize
from crdtstore.selectors.typed import DevModeChecks, Memoized, Selector
from crdtstore.selectors.weak_map import weak_map_memoize

__all__ = [
    "DevModeChecks",
    "Memoized",
    "Selector",
    "SelectorCreator",
    "TypedSelectorCreator",
    "create_draft_safe_selector",
    "create_draft_safe_selector_creator",
    "create_selector",
    "create_selector_creator",
    "create_structured_selector",
    "lru_memoize",
    "reference_equality_check",
    "set_global_dev_mode_checks",
    "weak_map_memoize",
]
