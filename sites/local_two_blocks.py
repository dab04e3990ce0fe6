"""Two blocks of two workers on this machine: to try a grid through Parsl before it meets a queue.

    bench run quickstart --executor parsl:local_two_blocks

A block stands for an allocation: it starts, fails and is replaced on its own.
"""

import sys
from pathlib import Path

from parsl import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider

config = Config(
    executors=[
        HighThroughputExecutor(
            label="local",
            address="127.0.0.1",
            max_workers_per_node=2,
            cores_per_worker=0.01,  # the number of workers is as above, whatever the number of cores
            heartbeat_period=2,
            heartbeat_threshold=10,  # seconds after which a silent block is lost, and its cells are sent elsewhere
            provider=LocalProvider(
                init_blocks=2,
                min_blocks=2,
                max_blocks=2,
                worker_init=f'export PATH="{Path(sys.executable).parent}:$PATH"',
            ),
        )
    ],
    strategy="simple",  # starts another block for one that is lost
    strategy_period=2,
    initialize_logging=False,  # a line per cell and step adds up
)
