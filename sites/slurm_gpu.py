"""GPU nodes of a SLURM cluster: four GPUs a node, one worker for each, models loaded once per worker.

    bench run GRID --executor parsl:slurm_gpu --out /shared/runs/NAME

Runs as it is where nodes have four GPUs, the cluster has a default partition and account, and the nodes see this
Python environment and the folder of the results under the same path. Else copy it and change what is in capitals.
Start the run on a login node, in a terminal that stays (tmux).
"""

import sys
from pathlib import Path

from parsl import Config
from parsl.executors import HighThroughputExecutor
from parsl.jobs.error_handlers import windowed_error_handler
from parsl.launchers import SrunLauncher
from parsl.providers import SlurmProvider

GPUS_PER_NODE = 4
CORES_PER_GPU = 4
PARTITION = None  # the cluster's default
ACCOUNT = None  # yours by default
MOST_NODES = 8  # at once
WALLTIME = "04:00:00"  # a block that ends is replaced; its cells run again
ENVIRONMENT = Path(sys.executable).parent  # the environment that the run itself is started from

config = Config(
    executors=[
        HighThroughputExecutor(
            label="gpu",  # without an address, workers try all of the login node's
            available_accelerators=GPUS_PER_NODE,  # each worker sees one, in CUDA_VISIBLE_DEVICES
            max_workers_per_node=GPUS_PER_NODE,
            cpu_affinity="block",  # a worker and its process keep to cores of their own
            prefetch_capacity=1,  # the next batch waits at the node, not behind the network
            heartbeat_period=15,
            heartbeat_threshold=60,  # seconds until the cells of a node that died are sent elsewhere
            block_error_handler=windowed_error_handler,  # gives up after three failed blocks in a row, not before
            provider=SlurmProvider(
                partition=PARTITION,
                account=ACCOUNT,
                # Without cores a job gets a single one, and four workers cannot have a core each.
                scheduler_options=f"#SBATCH --gpus-per-node={GPUS_PER_NODE} --cpus-per-gpu={CORES_PER_GPU}",
                worker_init=f'export PATH="{ENVIRONMENT}:$PATH"',
                launcher=SrunLauncher(),
                nodes_per_block=1,
                init_blocks=1,
                min_blocks=0,
                max_blocks=MOST_NODES,
                exclusive=False,
                walltime=WALLTIME,
            ),
        )
    ],
    strategy="simple",  # starts more; Parsl's htex_auto_scale (2026.10) also ends blocks that have yet to come up
    initialize_logging=False,  # a line per cell and step adds up
)
