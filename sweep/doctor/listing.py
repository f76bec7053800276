"""All checks, in the order in which they are shown."""

from __future__ import annotations

from sweep.doctor.clock import check_clock
from sweep.doctor.cluster import CLUSTER_SECONDS, check_cluster
from sweep.doctor.dataset import check_dataset
from sweep.doctor.disk import check_disk
from sweep.doctor.finding import Check
from sweep.doctor.gpus import check_gpu, check_torch
from sweep.doctor.machine import check_cpus, check_memory, check_open_files, check_shared_memory
from sweep.doctor.packages import check_extras, check_packages
from sweep.doctor.ray_files import check_ports, check_temporary_folder, check_token
from sweep.doctor.results import check_experiments, check_ledger, check_storage
from sweep.doctor.weights import check_weights

CHECKS = (
    Check(name="packages", run=check_packages),
    Check(name="extras", run=check_extras),
    Check(name="torch", run=check_torch),
    Check(name="GPU", run=check_gpu),
    Check(name="CPUs", run=check_cpus),
    Check(name="memory", run=check_memory),
    Check(name="shared memory", run=check_shared_memory),
    Check(name="open files", run=check_open_files),
    Check(name="disk", run=check_disk),
    Check(name="clock", run=check_clock),
    Check(name="Ray's folder", run=check_temporary_folder),
    Check(name="Ray's ports", run=check_ports),
    Check(name="Ray's token", run=check_token),
    Check(name="cluster", run=check_cluster, seconds=CLUSTER_SECONDS),
    Check(name="weights", run=check_weights),
    Check(name="tiles", run=check_dataset),
    Check(name="storage", run=check_storage),
    Check(name="experiments", run=check_experiments),
    Check(name="ledger", run=check_ledger),
)
