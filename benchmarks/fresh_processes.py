"""Processes that hold nothing of the one that starts them but its arguments."""

from functools import cache
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.context import BaseContext


@cache
def fresh() -> BaseContext:
    """Begins each from a server that has done the imports once, where there are such: to import all of it takes each seconds.

    To be called by a program itself: the server is one for all of a process.
    """
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["ours", "peers", "tyro", "rich.table", "scipy.sparse", "harmonium.learning", "harmonium.likelihood"])
    return context
