"""Pools and volumes."""
import hashlib
import os

from lifecycle import expect
from swarm import wait_for

POOL = "/var/lib/libvirt/images/pool"


def start_pool(swarm):
    swarm.virsh("pool-create-as", "images", "dir", "--target", POOL, "--build")


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def test_volumes(swarm):
    start_pool(swarm)
    swarm.virsh("vol-create-as", "images", "a.qcow2", "16M", "--format", "qcow2")
    swarm.virsh("vol-resize", "a.qcow2", "32M", "images")
    expect("32.00 MiB" in swarm.virsh("vol-info", "a.qcow2", "images"), "capacity")
    swarm.virsh("vol-clone", "a.qcow2", "b.qcow2", "images")
    expect({"a.qcow2", "b.qcow2"} <= set(os.listdir(POOL)), "files")
    swarm.virsh("vol-delete", "a.qcow2", "images")
    expect("a.qcow2" not in os.listdir(POOL), "still there")
    swarm.virsh("vol-delete", "b.qcow2", "images")


def test_transfer(swarm):
    start_pool(swarm)
    source, back = "/run/source.img", "/run/back.img"
    with open(source, "wb") as file:
        file.write(os.urandom(16 << 20))
    swarm.virsh("vol-create-as", "images", "raw", "16M", "--format", "raw")
    swarm.virsh("vol-upload", "raw", source, "images")
    swarm.virsh("vol-download", "raw", back, "images")
    expect(digest(source) == digest(back) == digest(f"{POOL}/raw"), "what came back differs")
    swarm.virsh("vol-delete", "raw", "images")


def test_guest_with_volume(swarm):
    start_pool(swarm)
    swarm.virsh("vol-create-as", "images", "disk.qcow2", "64M", "--format", "qcow2")
    swarm.boot("disked", "<disk type='volume' device='disk'><driver name='qemu' type='qcow2'/>"
                         "<source pool='images' volume='disk.qcow2'/><target dev='vda' bus='virtio'/></disk>")
    wait_for("the disk", lambda: "GUEST-DISK vda 131072" in swarm.console("disked"))
    expect("vda" in swarm.virsh("domblklist", "disked"), "domblklist")
