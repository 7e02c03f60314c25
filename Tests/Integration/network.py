"""Virtual networks."""
import os
import re
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


def tables():
    return "".join(subprocess.run(["nft", "list", "table", family, "libvirt_network"], capture_output=True,
                                  text=True).stdout for family in ("ip", "ip6"))


def test_nftables(swarm):
    """The rules are in nftables' tables while the network runs, over a restart, and not afterwards."""
    with open("/etc/libvirt/network.conf", "w") as file:
        file.write('firewall_backend = "nftables"\n')
    try:
        swarm.restart("virtnetworkd")
        start_default(swarm)
        for rule in ('iifname "virbr0" oifname "virbr0" counter',
                     'ip saddr 192.168.122.0/24 iifname "virbr0" counter',
                     'ip daddr 192.168.122.0/24 oifname "virbr0" ct state',
                     "ip saddr 192.168.122.0/24 ip daddr != 192.168.122.0/24 counter"):
            expect(rule in re.sub(r"packets \d+ bytes \d+ ", "", tables()), f"no '{rule}' in {tables()}")
        rules = subprocess.run(["iptables", "-S"], capture_output=True, text=True).stdout
        expect("virbr0" not in rules, f"iptables has rules as well: {rules}")
        before = tables().count("virbr0")
        swarm.restart("virtnetworkd")
        # They are taken away and put back, as libvirt does.
        wait_for("the rules to be as before the restart", lambda: tables().count("virbr0") == before)
        swarm.boot("walled", "<interface type='network'><source network='default'/><model type='virtio'/></interface>")
        wait_for("an address", lambda: "GUEST-IP 192.168.122." in swarm.console("walled"))
        swarm.virsh("destroy", "walled")
        swarm.virsh("net-destroy", "default")
        expect("virbr0" not in tables() and "192.168.122" not in tables(), f"rules are left: {tables()}")
    finally:
        os.remove("/etc/libvirt/network.conf")
        swarm.virsh("net-destroy", "default", ok=None)
        swarm.restart("virtnetworkd")
