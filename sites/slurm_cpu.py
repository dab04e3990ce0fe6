"""Whole CPU nodes of a SLURM cluster: one worker for each core that SLURM gives.

    bench run GRID --executor parsl:slurm_cpu --out /shared/runs/NAME

Runs as it is where the cluster has a default partition and account, and its nodes see this Python environment and the
folder of the results under the same path. Else copy it and change what is in capitals. Start the run on a login node,
in a terminal that stays (tmux).
"""

import sys
from pathlib import Path

from parsl import Config
from parsl.executors import HighThroughputExecutor
from parsl.jobs.error_handlers import windowed_error_handler
from parsl.launchers import SrunLauncher
from parsl.providers import SlurmProvider

PARTITION = None  # the cluster's default
ACCOUNT = None  # yours by default
MOST_NODES = 8  # at once
WALLTIME = "04:00:00"  # a block that ends is replaced; its cells run again
ENVIRONMENT = Path(sys.executable).parent  # the environment that the run itself is started from

config = Config(
    executors=[
        HighThroughputExecutor(
            label="cpu",  # without an address, workers try all of the login node's
            cores_per_worker=1,
            heartbeat_period=15,
            heartbeat_threshold=60,  # seconds until the cells of a node that died are sent elsewhere
            block_error_handler=windowed_error_handler,  # gives up after three failed blocks in a row, not before
            provider=SlurmProvider(
                partition=PARTITION,
                account=ACCOUNT,
                scheduler_options="#SBATCH --mem=0",  # all memory of the node
                worker_init=f'export PATH="{ENVIRONMENT}:$PATH" PARSL_CORES=$SLURM_CPUS_ON_NODE',
                launcher=SrunLauncher(),
                nodes_per_block=1,
                init_blocks=2,
                min_blocks=0,
                max_blocks=MOST_NODES,
                exclusive=True,
                walltime=WALLTIME,
            ),
        )
    ],
    strategy="simple",  # starts more; Parsl's htex_auto_scale (2026.10) also ends blocks that have yet to come up
    initialize_logging=False,  # a line per cell and step adds up
)
