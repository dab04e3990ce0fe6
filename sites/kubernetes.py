"""Pods of a Kubernetes cluster, each with four workers.

    bench run GRID --executor parsl:sites/kubernetes.py --out /shared/runs/NAME

Copy this file and change what is in capitals. The run itself belongs into a pod of the same namespace (a Job), which
may create pods, and has the claim mounted under the same path as the workers. Needs: pip install kubernetes.
The image is any that has Python and ``deblur-bench[cluster]`` in the version of the run.
"""

from parsl import Config
from parsl.addresses import address_by_hostname
from parsl.executors import HighThroughputExecutor
from parsl.jobs.error_handlers import windowed_error_handler
from parsl.providers import KubernetesProvider

config = Config(
    executors=[
        HighThroughputExecutor(
            label="pods",
            address=address_by_hostname(),  # of the pod that runs the grid
            max_workers_per_node=4,
            cores_per_worker=1,
            heartbeat_period=15,
            heartbeat_threshold=60,  # seconds until the cells of a pod that was evicted are sent elsewhere
            block_error_handler=windowed_error_handler,  # gives up after three failed pods in a row, not before
            worker_logdir_root="/SHARED/runs/logs",
            provider=KubernetesProvider(
                namespace="NAMESPACE",
                image="REGISTRY/deblur-bench:VERSION",
                persistent_volumes=[("CLAIM", "/SHARED")],  # the results folder and the images
                init_cpu=4,
                max_cpu=4,
                init_mem="8Gi",
                max_mem="16Gi",
                init_blocks=2,
                min_blocks=0,
                max_blocks=16,  # at most so many pods at once
            ),
        )
    ],
    strategy="simple",  # starts more; Parsl's htex_auto_scale (2026.10) also ends blocks that have yet to come up
    initialize_logging=False,  # a line per cell and step adds up
)
