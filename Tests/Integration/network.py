"""Virtual networks."""
import subprocess

from lifecycle import expect
from swarm import wait_for

DEFAULT = """<network><name>default</name><forward mode='nat'/><bridge name='virbr0'/>
<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp>
</ip></network>"""


def start_default(swarm):
    swarm.virsh("net-define", "/dev/stdin", text=DEFAULT)
    swarm.virsh("net-start", "default")


def test_network(swarm):
    start_default(swarm)
    link = subprocess.run(["ip", "-4", "address", "show", "virbr0"], capture_output=True, text=True).stdout
    expect("192.168.122.1/24" in link, link)
    rules = subprocess.run(["iptables", "-S", "LIBVIRT_FWX"], capture_output=True, text=True).stdout
    expect("-i virbr0 -o virbr0 -j ACCEPT" in rules, rules)
    swarm.virsh("net-destroy", "default")
    gone = subprocess.run(["ip", "link", "show", "virbr0"], capture_output=True, text=True)
    expect(gone.returncode != 0, "the bridge is still there")


def test_lease(swarm):
    start_default(swarm)
    swarm.boot("leased", "<interface type='network'><source network='default'/><model type='virtio'/></interface>")
    wait_for("an address", lambda: "GUEST-IP 192.168.122." in swarm.console("leased"))
    leases = swarm.virsh("net-dhcp-leases", "default")
    expect("192.168.122." in leases, leases)
    expect("192.168.122." in swarm.virsh("domifaddr", "leased"), "domifaddr")


def test_update(swarm):
    start_default(swarm)
    swarm.virsh("net-update", "default", "add", "ip-dhcp-host",
                "<host mac='52:54:00:11:22:33' ip='192.168.122.45'/>", "--live", "--config")
    expect("192.168.122.45" in swarm.virsh("net-dumpxml", "default"), "not updated")
