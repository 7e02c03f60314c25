import QEMUCommand
import QEMUMonitor
import VirtCore
import VirtModel

/// What QEMU knows of its open images (`query-named-block-nodes`).
struct NamedNodes: Sendable, Equatable {
    struct Bitmap: Sendable, Equatable {
        let name: String
        var isRecording = false
        var isPersistent = false
        var isInconsistent = false
        /// Bytes that one bit stands for.
        var granularity: UInt64 = 0
        /// Bytes that are marked.
        var dirtyBytes: UInt64 = 0
    }

    struct Node: Sendable, Equatable {
        /// Bytes that the guest sees.
        var capacity: UInt64 = 0
        /// Bytes that the file takes.
        var physical: UInt64 = 0
        var clusterSize: UInt64?
        var bitmaps: [Bitmap] = []
    }

    private(set) var nodes: [String: Node] = [:]

    init(_ reply: JSONValue) {
        for entry in reply.array ?? [] {
            guard let name = entry["node-name"]?.string else { continue }
            var node = Node()
            node.capacity = entry["image"]?["virtual-size"]?.integer() ?? 0
            node.physical = entry["image"]?["actual-size"]?.integer() ?? node.capacity
            node.clusterSize = entry["image"]?["cluster-size"]?.integer()
            node.bitmaps = (entry["dirty-bitmaps"]?.array ?? []).compactMap(Self.bitmap)
            nodes[name] = node
        }
    }

    private static func bitmap(_ entry: JSONValue) -> Bitmap? {
        guard let name = entry["name"]?.string else { return nil }
        return Bitmap(
            name: name, isRecording: entry["recording"]?.bool ?? false,
            isPersistent: entry["persistent"]?.bool ?? false,
            isInconsistent: entry["inconsistent"]?.bool ?? false, granularity: entry["granularity"]?.integer() ?? 0,
            dirtyBytes: entry["count"]?.integer() ?? 0)
    }

    func node(_ image: ChainImage) -> Node? { nodes[ImageNodes.formatName(image.source.index)] }

    func bitmap(_ name: String, _ image: ChainImage) -> Bitmap? {
        node(image)?.bitmaps.first { $0.name == name }
    }

    /// Whether a chain has a bitmap as a checkpoint needs it: from the top image down without a gap, and all of it sound.
    func isValid(_ name: String, _ chain: [ChainImage]) -> Bool {
        var found = false
        var ended = false
        for image in chain {
            guard let bitmap = bitmap(name, image) else {
                if !found { return false }
                ended = true
                continue
            }
            if ended || bitmap.isInconsistent || !bitmap.isPersistent || !bitmap.isRecording { return false }
            found = true
        }
        return found
    }
}

/// Actions of QMP's `transaction` on dirty bitmaps.
enum BitmapActions {
    /// Records what the guest writes while a job's last steps are under way.
    static let activeWrite = "libvirt-tmp-activewrite"

    static func add(
        _ image: ChainImage, _ name: String, persistent: Bool, disabled: Bool, granularity: UInt64 = 0
    ) -> JSONValue {
        var data: JSONObject = [
            "node": node(image), "name": .string(name), "persistent": .bool(persistent), "disabled": .bool(disabled),
        ]
        if granularity != 0 { data["granularity"] = .integer(granularity) }
        return action("block-dirty-bitmap-add", data)
    }

    static func remove(_ image: ChainImage, _ name: String) -> JSONValue {
        action("block-dirty-bitmap-remove", ["node": node(image), "name": .string(name)])
    }

    static func source(_ image: ChainImage, _ name: String) -> JSONValue {
        ["node": node(image), "name": .string(name)]
    }

    static func merge(_ sources: [JSONValue], into image: ChainImage, _ name: String) -> JSONValue {
        action(
            "block-dirty-bitmap-merge",
            ["node": node(image), "target": .string(name), "bitmaps": .array(sources)])
    }

    static func action(_ type: String, _ data: JSONObject) -> JSONValue {
        ["type": .string(type), "data": .object(data)]
    }

    private static func node(_ image: ChainImage) -> JSONValue { .string(ImageNodes.formatName(image.source.index)) }

    /// What a merge is about.
    struct Merge {
        /// The images that are looked at, the top one first, and the whole chain that they begin.
        var images: [ChainImage]
        var chain: [ChainImage]
        var target: ChainImage
        /// One bitmap only.
        var bitmap: String?
        /// Everything goes into a temporary bitmap of that name.
        var destination: String?
        /// The image that has `activeWrite`.
        var writeSource: ChainImage?
    }

    /// Puts the bitmaps of several images together so that the target has what is dirty as seen from the top.
    static func merge(_ what: Merge, _ known: NamedNodes) -> [JSONValue] {
        var actions: [JSONValue] = []
        for name in validBitmaps(what, known).reversed() {
            let goal = what.destination ?? name
            var granularity: UInt64 = 0
            var sources: [JSONValue] = []
            for image in what.images {
                guard let bitmap = known.bitmap(name, image) else { continue }
                if granularity == 0 { granularity = bitmap.granularity }
                sources.append(source(image, name))
            }
            if what.destination != nil || known.bitmap(name, what.target) == nil {
                let isTemporary = what.destination != nil
                actions.append(
                    add(
                        what.target, goal, persistent: !isTemporary, disabled: isTemporary, granularity: granularity))
            }
            if let write = what.writeSource { sources.append(source(write, activeWrite)) }
            actions.append(merge(sources, into: what.target, goal))
        }
        if let write = what.writeSource { actions.append(remove(write, activeWrite)) }
        return actions
    }

    private static func validBitmaps(_ what: Merge, _ known: NamedNodes) -> [String] {
        guard let top = what.images.first, let node = known.node(top) else { return [] }
        return node.bitmaps.map(\.name).filter { name in
            (what.bitmap == nil || what.bitmap == name) && known.isValid(name, what.chain)
        }
    }
}
