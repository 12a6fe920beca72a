"""Processes that begin with their imports done, so that one that a test kills dies at work.

A test process has one server of them, which takes the list that was set last: hence one list for all tests.
"""

import multiprocessing

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pytest", "harmonium.recipes.digits.recipe", "torch._dynamo"])  # optimisers of torch's import the last
