"""Calls that change numbers and texts of a domain: what C libvirt 9.0.0 answers to right ones and wrong ones."""
import os

import libvirt
from lifecycle import expect

IMAGE = "/run/peeked.img"
DOMAIN = f"""<domain type='qemu'><name>called</name><memory unit='KiB'>262144</memory>
<currentMemory unit='KiB'>131072</currentMemory><vcpu current='2'>4</vcpu><iothreads>2</iothreads>
<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
<cpu mode='custom' match='exact'><model>qemu64</model><topology sockets='4' cores='1' threads='1'/>
<numa><cell id='0' cpus='0-3' memory='262144' unit='KiB'/></numa></cpu>
<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{IMAGE}'/><target dev='vda'/></disk>
<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>
<interface type='user'><mac address='52:54:00:11:22:33'/><target dev='u0'/></interface></devices></domain>"""
ONE, NONE = (True, False), (False, False)
OFF = (55, 20, "domain is not running")
OFF_QEMU = (55, 10, "domain is not running")
BOTH = (8, 20, "mutually exclusive")
USER = (67, 10, "setting bandwidth on interfaces of type 'user' is not implemented yet")

# A call, its arguments, and what it returns, or the error's code, domain and a part of its text. Each goes on from the
# one before. OFF is for a domain that does not run, LIVE for a guest that waits to be continued, ANY for both.
ANY = [
    ("numaParameters", (3,), BOTH), ("interfaceParameters", ("u0", 3), BOTH), ("perfEvents", (3,), BOTH),
    ("memoryParameters", (8,), (8, 10, "in function qemuDomainGetMemoryParameters")),
    ("blkioParameters", (64,), (8, 10, "in function qemuDomainGetBlkioParameters")),
    ("schedulerParametersFlags", (8,), (8, 10, "in function qemuDomainGetSchedulerParametersFlags")),
    ("vcpuPinInfo", (4,), (8, 10, "in function qemuDomainGetVcpuPinInfo")),
    ("emulatorPinInfo", (8,), (8, 10, "in function qemuDomainGetEmulatorPinInfo")),
    ("ioThreadInfo", (4,), (8, 10, "in function qemuDomainGetIOThreadInfo")),
    ("launchSecurityInfo", (8,), {}),
    ("metadata", (0, None, 2), (80, 20, "Requested metadata element is not present")),
    ("metadata", (0, None, 8), (8, 20, "in function virDomainObjGetMetadata")),
    ("setMetadata", (7, "x", None, None, 2), (8, 20, "unknown metadata type '7'")),
    ("setVcpusFlags", (3, 6), (8, 10, "Number of CPUs in <numa> exceeds the desired maximum vcpu count")),
    ("pinVcpuFlags", (9, ONE, 2), (8, 10, "vcpu 9 is out of range of persistent cpu count 2")),
    ("pinVcpuFlags", (0, NONE, 2), (8, 10, "Empty cpu list for pinning")),
    ("pinIOThread", (7, ONE, 2), (8, 10, "iothreadid 7 not found")),
    ("setMemoryParameters", ({"swap_hard_limit": 100}, 2), (8, 20, "lower than or equal to swap_hard_limit")),
    ("setBlkioParameters", ({"device_weight": "x,y"}, 2), (8, 20, "invalid value 'y' for parameter 'device_weight'")),
    ("setNumaParameters", ({"numa_nodeset": "x"}, 2), (8, 0, "Failed to parse bitmap 'x'")),
    ("setBlockIoTune", ("vda", {"total_bytes_sec": 1 << 63}, 2), (74, 10, "block I/O throttle limit value must be")),
    ("setInterfaceParameters", ("u0", {"inbound.average": 100}, 2), USER),
    ("setInterfaceParameters", ("nope", {"inbound.average": 1}, 2), (8, 20, "'nope' is not a known interface")),
    ("addIOThread", (1, 2), (8, 20, "an IOThread is already using iothread_id '1'")),
    ("setIOThreadParams", (9, {"thread_pool_min": 1}, 2), (8, 10, "cannot find IOThread '9' in iothreadids")),
    ("setIOThreadParams", (1, {"poll_grow": 1}, 2), (84, 10, "configuring persistent polling values")),
    ("setIOThreadParams", (1, {"thread_pool_min": 9, "thread_pool_max": 4}, 2), (55, 10, "can't be greater than")),
    ("setIOThreadParams", (1, {"thread_pool_min": 1, "thread_pool_max": 4}, 2), 0),
    ("setPerfEvents", ({"instructions": True}, 2), 0), ("setPerfEvents", ({"cmt": True}, 2), 0),
    ("setVcpu", ("3", 1, 2), 0), ("setVcpu", ("0", 0, 2), (8, 10, "vCPU '0' can't be modified")),
    ("setVcpu", ("9", 1, 2), (8, 10, "vcpu 9 is not present in persistent config")),
    ("setVcpu", ("x", 1, 2), (8, 0, "Failed to parse bitmap 'x'")), ("setVcpu", ("1-3", 0, 2), 0),
    ("setLifecycleAction", (1, 4, 2), (67, 20, "Lifecycle event 'reboot' doesn't support 'coredump-destroy' action")),
    ("setLifecycleAction", (1, 3, 2), (67, 10, "doesn't support the 'preserve' action for 'on_reboot'/'on_poweroff'")),
    ("setLifecycleAction", (2, 3, 2), 0),
    ("migrateGetMaxSpeed", (), 8796093022207), ("isUpdated", (), 0),
    ("blockPeek", ("vda", 510, 4, 0), b"yz\0\0"),
    ("blockPeek", ("vda", (1 << 20) - 1, 2, 0), (8, 10, "'vda' starting from 1048575 has only 1 bytes available")),
    ("blockPeek", ("nope", 0, 4, 0), (8, 10, "disk 'nope' not found in domain")),
    ("memoryPeek", (0, 4, 0), (8, 10, "flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL")),
    ("guestInfo", (0, 0), OFF_QEMU), ("setGuestVcpus", ("0", 1, 0), OFF_QEMU), ("fSTrim", (None, 0, 0), OFF_QEMU),
]
WHEN_OFF = [
    ("maxVcpus", (), OFF), ("getTime", (0,), OFF), ("memoryPeek", (0, 4, 2), OFF),
    ("vcpusFlags", (8,), (8, 10, "can only be requested for live domains")),
    ("pinEmulator", (NONE, 1), OFF), ("pinIOThread", (1, NONE, 3), OFF), ("setMetadata", (7, "x", None, None, 1), OFF),
    ("migrateSetMaxSpeed", (10,), 0), ("migrateGetMaxSpeed", (), 10),
]
WHEN_LIVE = [
    ("blockPeek", ("sda", 0, 1, 0), (84, 10, "peeking is only supported for disk with 'raw' format not 'none'")),
    ("maxVcpus", (), 4), ("getTime", (0,), OFF_QEMU), ("hostname", (0,), OFF_QEMU),
    ("pinVcpuFlags", (9, ONE, 1), (8, 10, "vcpu 9 is out of range of live cpu count 4")),
    ("pinIOThread", (7, ONE, 1), (8, 10, "iothread 7 not found")),
    ("setBlockIoTune", ("vda", {"read_iops_sec_max": 5}, 1), (67, 10, "cannot reset 'read_iops_sec' when")),
    ("setBlockIoTune", ("vda", {"read_iops_sec": 9, "read_iops_sec_max": 5}, 1), (67, 10, "cannot be smaller than")),
    ("setBlockThreshold", ("nope", 1, 0), (8, 10, "failed to find disk 'nope'")),
    ("blockResize", ("nope", 1, 0), (8, 10, "disk 'nope' was not found in the domain config")),
    ("interfaceStats", ("x",), (8, 20, "'x' is not a known interface")),
    ("setPerfEvents", ({"cmt": True}, 1), (74, 65, "unable to enable host cpu perf event for cmt")),
    ("setIOThreadParams", (1, {"thread_pool_max": 4}, 1), 0), ("setIOThreadParams", (1, {"poll_max_ns": 10}, 1), 0),
    ("setVcpu", ("1", 1, 1), (8, 10, "vcpu '1' is already in requested state")),
    ("setVcpu", ("1", 0, 1), (84, 10, "vcpu '1' can't be unplugged")),
    ("setVcpu", ("2-3", 1, 1), (84, 10, "only one hotpluggable entity can be selected")), ("setVcpu", ("2", 1, 1), 0),
    ("memoryPeek", (0xffff0, 1, 2), b"\xea"),  # The processor starts with a jump.
    ("migrateSetMaxSpeed", (10,), 0), ("migrateGetMaxSpeed", (), 10),
]


def answer(domain, call, arguments):
    try:
        return getattr(domain, call)(*arguments)
    except libvirt.libvirtError as error:
        return error.get_error_code(), error.get_error_domain(), error.get_error_message()


def check(domain, calls):
    wrong = []
    for call, arguments, expected in calls:
        got = answer(domain, call, arguments)
        same = got == expected
        if isinstance(expected, tuple) and isinstance(got, tuple):
            same = got[:2] == expected[:2] and expected[2] in got[2]
        if not same:
            wrong.append(f"{call}{arguments}: {got} instead of {expected}")
    expect(not wrong, "\n".join(wrong))


def define(connection):
    with open(IMAGE, "wb") as file:
        file.write(b"x" * 510 + b"yz")
        file.truncate(1 << 20)
    return connection.defineXML(DOMAIN)


def test_definition(swarm):
    libvirt.registerErrorHandler(lambda *_: None, None)
    domain = define(libvirt.open("qemu:///system"))
    check(domain, ANY + WHEN_OFF)
    text = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    for part in ("<vcpu placement='static' current='1'>4</vcpu>", "<vcpu id='3' enabled='no' hotpluggable='yes'/>",
                 "<vcpu id='0' enabled='yes' hotpluggable='no'/>", "<on_crash>preserve</on_crash>",
                 "<iothread id='1' thread_pool_min='1' thread_pool_max='4'/>",
                 "<event name='cmt' enabled='yes'/>\n    <event name='instructions' enabled='yes'/>"):
        expect(part in text, f"no {part} in {text}")
    domain.undefine()


def test_guest(swarm):
    domain = define(libvirt.open("qemu:///system"))
    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    try:
        check(domain, ANY + WHEN_LIVE)
        expect("<vcpu id='2' enabled='yes' hotpluggable='yes' order='3'/>" in domain.XMLDesc(), "the processor is not in the XML")
    finally:
        domain.destroy()
        domain.undefine()
        os.unlink(IMAGE)


def test_metadata(swarm):
    """What an application keeps in a domain comes back as it was."""
    domain = define(libvirt.open("qemu:///system"))
    given = "<app at=\"1\">text <b xmlns:p=\"urn:p\" p:a=\"x\">bold</b> \"more\"<!--c--><![CDATA[<x>]]></app>"
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, given, "k", "http://k/1", 2)
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<other/>", "o", "urn:o", 2)
    swarm.restart("virtqemud", 9)
    domain = libvirt.open("qemu:///system").lookupByName("called")
    got = domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "http://k/1", 2)
    expect(got == given, f"{got} instead of {given}")
    domain.undefine()


def test_documents_against_schemas(swarm):
    """Documents that clients want to have checked: what a schema does not know is an error then, and only then."""
    connection = libvirt.open("qemu:///system")
    text = "<network><name>checked</name>{}<ip address='10.9.7.1' netmask='255.255.255.0'/></network>"
    pool_text = "<pool type='dir'><name>checked</name><target><path>/run/checked</path></target>{}</pool>"
    volume_text = "<volume><name>{}</name><capacity>1</capacity>{}</volume>"
    port_text = """<networkport><uuid>5a1d2b9c-1b2a-4c3d-8e4f-0123456789a2</uuid><owner><name>a</name><uuid>5a1d2b9c-1b2a-4c3d-8e4f-0123456789a1</uuid></owner>
<mac address='52:54:00:11:22:33'/>{}</networkport>"""
    os.makedirs("/run/checked", exist_ok=True)
    network = connection.networkDefineXMLFlags(text.format("<bogus/>"), 0)
    network.create()
    pool = connection.storagePoolDefineXML(pool_text.format("<bogus/>"), 0)
    pool.create()
    source = pool.createXML(volume_text.format("one", "<bogus/>"), 0)
    try:
        check(connection, [
            ("networkDefineXMLFlags", (text.format("<bogus/>"), 1), (92, 5, "schemas/network.rng")),
            ("networkCreateXMLFlags", (text.format("<bogus/>"), 1), (92, 5, "schemas/network.rng")),
            ("networkDefineXMLFlags", ("<domain/>", 1), (27, 5, "expecting root element of 'network', not 'domain'")),
            ("storagePoolDefineXML", (pool_text.format("<bogus/>"), 1), (92, 5, "schemas/storagepool.rng")),
            ("storagePoolDefineXML", ("bogus", 1), (35, 18, "(storage_pool_definition):1: Start tag expected")),
            ("defineXMLFlags", ("<network/>", 1), (27, 5, "expecting root element of 'domain', not 'network'")),
            ("createXML", ("bogus", 8), (8, 10, "unsupported flags (0x8) in function qemuDomainCreateXML")),
        ])
        check(pool, [
            ("createXML", (volume_text.format("two", "<bogus/>"), 4), (92, 5, "schemas/storagevol.rng")),
            ("createXMLFrom", (volume_text.format("two", "<bogus/>"), source, 4), (92, 5, "schemas/storagevol.rng")),
        ])
        check(network, [("portCreateXML", (port_text.format("<bogus/>"), 2), (92, 5, "schemas/networkport.rng"))])
        network.portCreateXML(port_text.format(""), 2)
    finally:
        network.destroy()
        network.undefine()
        source.delete()
        pool.destroy()
        pool.undefine()
