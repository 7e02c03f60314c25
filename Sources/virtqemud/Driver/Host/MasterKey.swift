import CGcrypt
import Glibc
import QEMUCommand
import VirtCore

/// The key that a guest's secrets are encrypted with on their way into QEMU.
struct MasterKey: Sendable {
    static let size = 32
    let bytes: [UInt8]

    static func random() -> MasterKey { MasterKey(bytes: noise(size)) }

    private static func noise(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// AES-256 in CBC mode with padding, as QEMU's secret objects take it.
    func encrypt(_ secret: [UInt8]) throws(VirtError) -> CommandEnvironment.EncryptedSecret {
        let block = 16
        let vector = Self.noise(block)
        let padding = block - secret.count % block
        var data = secret + [UInt8](repeating: UInt8(padding), count: padding)
        var cipher: gcry_cipher_hd_t?
        unsafe gcry_check_version(nil)
        try Self.check(
            unsafe gcry_cipher_open(
                &cipher, Int32(GCRY_CIPHER_AES256.rawValue), Int32(GCRY_CIPHER_MODE_CBC.rawValue), 0))
        defer { unsafe gcry_cipher_close(cipher) }
        try Self.check(unsafe gcry_cipher_setkey(cipher, bytes, bytes.count))
        try Self.check(unsafe gcry_cipher_setiv(cipher, vector, vector.count))
        let length = data.count
        try Self.check(unsafe gcry_cipher_encrypt(cipher, &data, length, nil, 0))
        return .init(data: Base64.encode(data), iv: Base64.encode(vector))
    }

    private static func check(_ error: gcry_error_t) throws(VirtError) {
        guard error == 0 else { throw VirtError(.internalError, .qemu, "Unable to encrypt data") }
    }
}

/// RFC 4648, with padding.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                let digit = Int(bits >> UInt32(18 - 6 * place) & 63)
                text.append(place <= group.count ? alphabet[digit] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
