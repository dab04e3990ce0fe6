"""GPU nodes of a SLURM cluster: four GPUs a node, one worker for each, models loaded once per worker.

    bench run GRID --executor parsl:sites/slurm_gpu.py --out /shared/runs/NAME

Copy this file and change what is in capitals. Start the run on a login node, in a terminal that stays (tmux), on a
file system that the nodes see under the same path.
"""

from parsl import Config
from parsl.addresses import address_by_interface
from parsl.executors import HighThroughputExecutor
from parsl.jobs.error_handlers import windowed_error_handler
from parsl.launchers import SrunLauncher
from parsl.providers import SlurmProvider

GPUS_PER_NODE = 4

config = Config(
    executors=[
        HighThroughputExecutor(
            label="gpu",
            address=address_by_interface("ib0"),  # of the login node, as the compute nodes reach it: INTERFACE
            available_accelerators=GPUS_PER_NODE,  # each worker sees one, in CUDA_VISIBLE_DEVICES
            max_workers_per_node=GPUS_PER_NODE,
            cpu_affinity="block",  # a worker and its process keep to cores of their own
            prefetch_capacity=1,  # the next batch waits at the node, not behind the network
            heartbeat_period=15,
            heartbeat_threshold=60,  # seconds until the cells of a node that died are sent elsewhere
            block_error_handler=windowed_error_handler,  # gives up after three failed blocks in a row, not before
            provider=SlurmProvider(
                partition="PARTITION",
                account="ACCOUNT",
                scheduler_options=f"#SBATCH --gpus-per-node={GPUS_PER_NODE}",
                worker_init="source /SHARED/VENV/bin/activate",
                launcher=SrunLauncher(),
                nodes_per_block=1,
                init_blocks=1,
                min_blocks=0,
                max_blocks=8,  # at most so many nodes at once
                exclusive=False,
                walltime="04:00:00",  # a block that ends is replaced; its cells run again
            ),
        )
    ],
    strategy="htex_auto_scale",  # gives idle blocks back
    max_idletime=120,
    initialize_logging=False,  # a line per cell and step adds up
)
