"""A SLURM cluster of two nodes on this machine, all of it in one folder: munged, slurmctld and two slurmd.

Needs Debian's packages ``slurm-wlm`` and ``munge``, no service of theirs, and root (slurmd starts jobs as users).
Everything listens on the loopback interface only. Each node says that it has two cores and two GPUs, which are
character devices that compute nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "scontrol", "sinfo", "squeue")
NODES = ("n1", "n2")
CONF = """
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
GresTypes=gpu
ReturnToService=2
SlurmdTimeout=10
KillWait=2
MinJobAge=10
{nodes}
PartitionName=all Nodes={names} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why there can be no cluster here; empty where there can be one."""
    if os.getuid() != 0:
        return "only root can start slurmd"
    lacking = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


class Slurm:
    """The cluster, up while the context lasts.

    Args:
        folder: an empty one, for everything of it.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        #: for commands that are to talk to this cluster
        self.environment = {**os.environ, "PATH": _path(), "SLURM_CONF": str(folder / "slurm.conf")}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Slurm:
        self._configure()
        self._start("munged", "--foreground", "--force", *self._munge())
        _until((self.folder / "munge.socket").exists, "munged does not start")
        self._start("slurmctld", "-D")
        for node in NODES:
            self.start(node)
        _until(lambda: [self.state(n) for n in NODES] == ["idle", "idle"], "the nodes do not come up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(subprocess.SubprocessError, AssertionError):
            self.run("scancel", "--user=root")
            _until(lambda: not self.jobs(), "jobs do not end", 10)
        for node in NODES:
            self.kill(node)
        for name in ("slurmctld", "munged"):
            self._stop(name)

    def run(self, *command: str) -> str:
        """What a command of SLURM's prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=30, check=True)
        return done.stdout.strip()

    def jobs(self) -> dict[str, str]:
        """Of each running job the node."""
        lines = self.run("squeue", "--noheader", "--states=R", "--format=%i %N").splitlines()
        return dict(line.split() for line in lines)

    def state(self, node: str) -> str:
        """Such as ``idle``, ``allocated``, ``drained``, ``down*``."""
        with suppress(subprocess.SubprocessError):
            return self.run("sinfo", "--noheader", f"--nodes={node}", "--format=%T")
        return "unknown"

    def start(self, node: str) -> None:
        """Start the daemon of a node."""
        self._start(node, "-D", "-N", node, program="slurmd")

    def kill(self, node: str) -> None:
        """A power cut: SIGKILL to the node's daemon and to all that it has started."""
        daemon = self._daemons.pop(node, None)
        if daemon is None:
            return
        for pid in [daemon.pid, *_descendants(daemon.pid), *self._steps(node)]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        daemon.wait()

    def kill_daemon(self, node: str) -> None:
        """SIGKILL to the node's daemon alone: its jobs go on, and SLURM hears no more of them."""
        daemon = self._daemons.pop(node)
        daemon.kill()
        daemon.wait()

    def drain(self, node: str) -> None:
        """No job starts there any more."""
        self.run("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")

    def resume(self, node: str) -> None:
        """The node is there for jobs again."""
        self.run("scontrol", "update", f"NodeName={node}", "State=RESUME")

    def _steps(self, node: str) -> set[int]:
        """The processes of the node's jobs: tasks, by their environment, and what starts them, by its log file."""
        conf = f"SLURM_CONF={self.folder / 'slurm.conf'}".encode()
        log, found = self.folder / f"{node}.log", set()
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                variables = (folder / "environ").read_bytes().split(b"\0")
                is_task = f"SLURMD_NODENAME={node}".encode() in variables and conf in variables
                if is_task or any(f.readlink() == log for f in (folder / "fd").iterdir()):
                    found.add(int(folder.name))
        return found

    def _configure(self) -> None:
        ports = _free_ports(3)
        (self.folder / "state").mkdir()
        (self.folder / "spool").mkdir()
        (self.folder / "munge.key").write_bytes(os.urandom(64))
        (self.folder / "munge.key").chmod(0o400)
        for gpu in range(2):
            os.mknod(self.folder / f"gpu{gpu}", 0o666 | 0o020000, os.makedev(1, 3))  # as /dev/null
        host = socket.gethostname().split(".")[0]
        nodes = "\n".join(
            f"NodeName={n} NodeHostname={host} NodeAddr=127.0.0.1 Port={p} CPUs=2 RealMemory=2000 Gres=gpu:2"
            for n, p in zip(NODES, ports[1:], strict=True)
        )
        conf = CONF.format(host=host, folder=self.folder, port=ports[0], nodes=nodes, names=",".join(NODES))
        (self.folder / "slurm.conf").write_text(conf)
        (self.folder / "gres.conf").write_text(f"NodeName={','.join(NODES)} Name=gpu File={self.folder}/gpu[0-1]\n")

    def _munge(self) -> list[str]:
        files = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munged.pid", "seed-file": "seed"}
        return [f"--{option}={self.folder / name}" for option, name in files.items()] + [
            f"--log-file={self.folder}/munged.log",
            "--num-threads=2",
        ]

    def _start(self, name: str, *arguments: str, program: str | None = None) -> None:
        with (self.folder / f"{name}.out").open("ab") as out:
            self._daemons[name] = subprocess.Popen(
                [program or name, *arguments], env=self.environment, stdout=out, stderr=out, start_new_session=True
            )

    def _stop(self, name: str) -> None:
        daemon = self._daemons.pop(name, None)
        if daemon is not None:
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"  # where Debian has the daemons


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return children + [d for c in children for d in _descendants(c)]
