import CLinux
import Glibc
import VirtOS

/// Tells whether a program knows of the locks in systemd's store: its file holds this text.
///
/// C's program does not. It gives a lock up by closing its descriptor, which does nothing while the store has a copy: the
/// store is emptied for it. For a program that knows, the store is left as it is, and a kill in the midst of the upgrade
/// loses nothing. A marker that is not found costs no more than that.
enum StoreMarker {
    static let text: StaticString = "virtswarm: locks are in the descriptor store, revision 1"

    /// Blocks.
    static func isIn(programOf arguments: [String]) -> Bool {
        guard let name = arguments.first, let path = ChildProcess.find(name),
            let file = try? OwnedDescriptor(opening: path, O_RDONLY)
        else { return false }
        return isIn(file.rawValue)
    }

    static func isIn(_ file: Int32) -> Bool {
        unsafe clinux_file_contains(file, text.utf8Start, text.utf8CodeUnitCount) == 1
    }
}
