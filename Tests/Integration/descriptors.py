"""Images that a client opens itself and hands over as descriptors."""
import os
import subprocess

import libvirt

from devices import IMAGES, make_image
from lifecycle import expect
from swarm import Client, wait_for

# Nothing is there: only the descriptor leads to the image.
NOWHERE = "/nonexistent/image"


def disk(group, target="vda", format="raw"):
    return f"""<disk type='file'><driver name='qemu' type='{format}'/><source file='{NOWHERE}' fdgroup='{group}'/>
<target dev='{target}' bus='virtio'/></disk>"""


def refused(code, call, *arguments):
    try:
        call(*arguments)
    except libvirt.libvirtError as error:
        expect(error.get_error_code() == code, f"{error.get_error_code()}: {error}")
        return str(error)
    raise AssertionError("it was not refused")


def sets(domain):
    import libvirt_qemu
    return libvirt_qemu.qemuMonitorCommand(domain, '{"execute":"query-fdsets"}', 0)


def test_guest_on_a_descriptor(swarm):
    path = make_image("handed.raw", 1 << 20)
    os.chmod(path, 0o600)
    client = Client()
    domain = client.connection.defineXML(swarm.domain("handed", disk("web")))
    error = refused(libvirt.VIR_ERR_INVALID_ARG, domain.create)
    expect("file descriptor group 'web' was not associated with the domain" in error, error)
    with open(path, "r+b") as file:
        error = refused(libvirt.VIR_ERR_INVALID_ARG, domain.FDAssociate, "web", [file.fileno()], 0x60)
        expect(error == "unsupported flags (0x60) in function qemuDomainFDAssociate", error)
        domain.FDAssociate("web", [file.fileno()], 0)
        domain.FDAssociate("web", [file.fileno()], libvirt.VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_RESTORE)
    for _ in range(2):  # the group is there for the next start as well
        domain.create()
        expect("libvirt-1-storage0" in sets(domain), sets(domain))
        expect("fdgroup='web' index='1'" in domain.XMLDesc(), domain.XMLDesc())
        # The guest has the image, whose size only the descriptor tells.
        expect(client.connection.domainListGetStats([domain])[0][1]["block.0.capacity"] == 1 << 20, "capacity")
        expect(os.stat(path).st_uid == 0 and os.stat(path).st_mode & 0o777 == 0o600, "its owner changed")
        error = refused(libvirt.VIR_ERR_OPERATION_UNSUPPORTED, domain.blockInfo, "vda")
        domain.destroy()
    client.close()


def test_two_descriptors_and_an_image_below(swarm):
    base, top = f"{IMAGES}/handed-base.qcow2", f"{IMAGES}/handed-top.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", base, "1M"], check=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", top], check=True)
    client = Client()
    domain = client.connection.defineXML(swarm.domain("handed-chain", disk("top", format="qcow2")))
    with open(top, "rb") as reading, open(top, "r+b") as writing:
        domain.FDAssociate("top", [reading.fileno(), writing.fileno()], 0)
    domain.create()
    expect("libvirt-1-storage1" in sets(domain), sets(domain))
    expect("<backingStore type='file' index='2'>" in domain.XMLDesc(), domain.XMLDesc())
    expect(f"<source file='{base}'/>" in domain.XMLDesc(), domain.XMLDesc())
    domain.destroy()
    client.close()


def test_groups_go_with_their_client(swarm):
    path = make_image("lent.raw")
    first = Client()
    second = libvirt.open("qemu:///system")
    domain = first.connection.defineXML(swarm.domain("lent", disk("g")))
    with open(path, "r+b") as file:
        second.lookupByName("lent").FDAssociate("g", [file.fileno()], 0)
    domain.create()
    domain.destroy()
    second.close()

    def is_gone():
        try:
            domain.create()
            domain.destroy()
            return False
        except libvirt.libvirtError as error:
            return error.get_error_code() == libvirt.VIR_ERR_INVALID_ARG

    wait_for("the group to go with its client", is_gone)
    first.close()


def test_descriptor_is_plugged(swarm):
    path = make_image("handed-plug.raw")
    swarm.boot("handed-plug")
    client = Client()
    domain = client.connection.lookupByName("handed-plug")
    live = libvirt.VIR_DOMAIN_AFFECT_LIVE
    refused(libvirt.VIR_ERR_INVALID_ARG, domain.attachDeviceFlags, disk("p", "vdb"), live)
    with open(path, "r+b") as file:
        domain.FDAssociate("p", [file.fileno()], 0)
    domain.attachDeviceFlags(disk("p", "vdb"), live)
    expect("-storage0" in sets(domain), sets(domain))
    domain.detachDeviceFlags(disk("p", "vdb"), live)
    wait_for("QEMU to close the set", lambda: "-storage0" not in sets(domain))
    client.close()
