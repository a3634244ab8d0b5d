"""One budget per chat for every call to it, besides the global one: the platforms' limits hold across all of them."""

from adapters.limits.budgets import Budgets, Clock, Priority
from adapters.limits.rates import Rate, Rule
from adapters.limits.window import Window

__all__ = ["Budgets", "Clock", "Priority", "Rate", "Rule", "Window"]
