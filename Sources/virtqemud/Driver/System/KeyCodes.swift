/// Key codes in QEMU's numbering (the codes of a PC/XT keyboard; 0x80 marks those with the E0 prefix).
enum KeyCodes {
    /// virKeycodeSet.
    enum Set: UInt32, Sendable {
        case linux = 0, xt, atset1, atset2, atset3, osx, xtKbd, usb, win32, qnum

        var name: String {
            ["linux", "xt", "atset1", "atset2", "atset3", "os_x", "xt_kbd", "usb", "win32", "qnum"][Int(rawValue)]
        }
    }

    /// nil for a code that the set does not have, or a set that is not known here.
    static func number(_ code: UInt32, in set: Set) -> UInt32? {
        switch set {
        case .linux: linux(code)
        case .xt, .atset1, .xtKbd, .qnum: code > 0 && code < 0x100 ? code : nil
        case .win32: win32[code].flatMap { linux($0) }
        case .usb: usb(code).flatMap { linux($0) }
        case .atset2, .atset3, .osx: nil
        }
    }

    private static func linux(_ code: UInt32) -> UInt32? {
        switch code {
        case 1...83: code
        case 86...88: code
        default: extended[code]
        }
    }

    /// Linux codes that are not those of a PC/XT keyboard.
    private static let extended: [UInt32: UInt32] = [
        85: 0x76, 89: 0x73, 90: 0x78, 91: 0x77, 92: 0x79, 93: 0x70, 94: 0x7b, 95: 0x5c, 96: 0x9c, 97: 0x9d,
        98: 0xb5, 99: 0x54, 100: 0xb8, 101: 0x5b, 102: 0xc7, 103: 0xc8, 104: 0xc9, 105: 0xcb, 106: 0xcd, 107: 0xcf,
        108: 0xd0, 109: 0xd1, 110: 0xd2, 111: 0xd3, 112: 0xef, 113: 0xa0, 114: 0xae, 115: 0xb0, 116: 0xde,
        117: 0x59, 118: 0xce, 119: 0xc6, 121: 0x7e, 122: 0x72, 123: 0x71, 124: 0x7d, 125: 0xdb, 126: 0xdc,
        127: 0xdd, 140: 0xa1, 142: 0xdf, 143: 0xe3, 155: 0xec, 156: 0xe6, 158: 0xea, 159: 0xe9, 163: 0x99,
        164: 0xa2, 165: 0x90, 166: 0xa4, 172: 0xb2, 173: 0xe7, 183: 0x5d, 184: 0x5e, 185: 0x5f, 217: 0xe5,
    ]

    /// Windows' virtual keys as Linux codes.
    private static let win32: [UInt32: UInt32] = {
        var map: [UInt32: UInt32] = [
            0x08: 14, 0x09: 15, 0x0D: 28, 0x10: 42, 0x11: 29, 0x12: 56, 0x13: 119, 0x14: 58, 0x1B: 1, 0x20: 57,
            0x21: 104, 0x22: 109, 0x23: 107, 0x24: 102, 0x25: 105, 0x26: 103, 0x27: 106, 0x28: 108, 0x2C: 99,
            0x2D: 110, 0x2E: 111, 0x30: 11, 0x5B: 125, 0x5C: 126, 0x5D: 127, 0x6A: 55, 0x6B: 78, 0x6D: 74, 0x6E: 83,
            0x6F: 98, 0x90: 69, 0x91: 70, 0xA0: 42, 0xA1: 54, 0xA2: 29, 0xA3: 97, 0xA4: 56, 0xA5: 100, 0xBA: 39,
            0xBB: 13, 0xBC: 51, 0xBD: 12, 0xBE: 52, 0xBF: 53, 0xC0: 41, 0xDB: 26, 0xDC: 43, 0xDD: 27, 0xDE: 40,
            0xE2: 86, 0x60: 82, 0x61: 79, 0x62: 80, 0x63: 81, 0x64: 75, 0x65: 76, 0x66: 77, 0x67: 71, 0x68: 72,
            0x69: 73,
        ]
        for (offset, code) in letters.enumerated() { map[0x41 + UInt32(offset)] = code }
        for digit in UInt32(1)...9 { map[0x30 + digit] = digit + 1 }
        for key in UInt32(0)..<10 { map[0x70 + key] = 59 + key }
        map[0x7A] = 87
        map[0x7B] = 88
        return map
    }()

    /// A to Z.
    private static let letters: [UInt32] = [
        30, 48, 46, 32, 18, 33, 34, 35, 23, 36, 37, 38, 50, 49, 24, 25, 16, 19, 31, 20, 22, 47, 17, 45, 21, 44,
    ]

    /// USB's codes (the keyboard page) from 0x1E on.
    private static let usbKeys: [UInt32] = [
        2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 28, 1, 14, 15, 57, 12, 13, 26, 27, 43, 43, 39, 40, 41, 51, 52, 53, 58, 59,
        60, 61, 62, 63, 64, 65, 66, 67, 68, 87, 88, 99, 70, 119, 110, 102, 104, 111, 107, 109, 106, 105, 108, 103,
        69, 98, 55, 74, 78, 96, 79, 80, 81, 75, 76, 77, 71, 72, 73, 82, 83, 86, 127,
    ]

    private static func usb(_ code: UInt32) -> UInt32? {
        switch code {
        case 4...29: letters[Int(code) - 4]
        case 0x1E...0x65: usbKeys[Int(code) - 0x1E]
        case 0xE0...0xE7: [29, 42, 56, 125, 97, 54, 100, 126][Int(code) - 0xE0]
        default: nil
        }
    }
}
