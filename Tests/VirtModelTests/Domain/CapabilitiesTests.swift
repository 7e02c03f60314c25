import Testing
import VirtCore
import VirtModel
import VirtXML

@Suite("Capabilities documents")
struct CapabilitiesTests {
    @Test("a host's capabilities are printed as libvirt prints them")
    func host() throws {
        var capabilities = HostCapabilities()
        capabilities.host.cpu.model = "EPYC"
        capabilities.host.cpu.features = [HostCPU.Named("aes")]
        capabilities.host.cpu.pages = [HostCPU.Pages(size: 4)]
        var cell = HostCapabilities.Cell()
        cell.memory = 1024
        var processor = HostCapabilities.Processor()
        processor.socket = 0
        processor.siblings = BitSet([0, 1])
        cell.cpus = [processor]
        capabilities.host.cells = [cell]
        capabilities.host.securityModels = [.init(model: "none")]
        var guest = HostCapabilities.Guest()
        guest.arch.machines = [.init("pc", canonical: "pc-i440fx-7.2", maximumCPUs: 255)]
        guest.arch.domains = [.init("qemu")]
        capabilities.guests = [guest]
        #expect(
            try capabilities.format() == """
                <capabilities>

                  <host>
                    <cpu>
                      <arch>x86_64</arch>
                      <model>EPYC</model>
                      <feature name='aes'/>
                      <pages unit='KiB' size='4'/>
                    </cpu>
                    <power_management/>
                    <iommu support='no'/>
                    <migration_features>
                      <live/>
                      <uri_transports>
                        <uri_transport>tcp</uri_transport>
                        <uri_transport>rdma</uri_transport>
                      </uri_transports>
                    </migration_features>
                    <topology>
                      <cells num='1'>
                        <cell id='0'>
                          <memory unit='KiB'>1024</memory>
                          <cpus num='1'>
                            <cpu id='0' socket_id='0' siblings='0-1'/>
                          </cpus>
                        </cell>
                      </cells>
                    </topology>
                    <secmodel>
                      <model>none</model>
                      <doi>0</doi>
                    </secmodel>
                  </host>

                  <guest>
                    <os_type>hvm</os_type>
                    <arch name='x86_64'>
                      <wordsize>64</wordsize>
                      <machine canonical='pc-i440fx-7.2' maxCpus='255'>pc</machine>
                      <domain type='qemu'/>
                    </arch>
                    <features>
                      <cpuselection/>
                      <deviceboot/>
                      <disksnapshot default='on' toggle='no'/>
                    </features>
                  </guest>

                </capabilities>

                """)
    }

    @Test("a domain's capabilities are read and printed alike")
    func domain() throws {
        var capabilities = DomainCapabilities()
        capabilities.path = "/usr/bin/qemu-system-x86_64"
        capabilities.machine = "pc-q35-7.2"
        capabilities.maximumCPUs = 288
        capabilities.iothreads = true
        capabilities.os.enums = [.init("firmware", ["efi"])]
        var custom = DomainCapabilities.Mode("custom", supported: true)
        custom.models = [.init("qemu64", usable: .yes, vendor: "unknown")]
        capabilities.cpu.modes = [.init("host-passthrough", supported: false), custom]
        capabilities.devices = [.init("disk", enums: [.init("bus", ["virtio", "sata"])])]
        let text = try capabilities.format()
        #expect(text.contains("    <mode name='host-passthrough' supported='no'/>\n"))
        #expect(text.contains("      <model usable='yes' vendor='unknown'>qemu64</model>\n"))
        let document = try XMLDocument.parse(text, name: "x", domain: .domain)
        let again: DomainCapabilities = try ElementReader.read(try #require(document.root))
        #expect(try again.format() == text)
    }
}
