import Glibc

/// A folder of a test's own.
public final class TemporaryFolder: Sendable {
    /// Short, as the path of a Unix socket has to be.
    public let path: String

    /// Makes the folder.
    public init() throws {
        var template = Array("/tmp/apus-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp") }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }  // holds a zero at least
    }

    /// Removes the folder, with everything in it.
    public func remove() { Self.remove(path) }

    private static func remove(_ path: String) {
        if let stream = opendir(path) {
            while let entry = readdir(stream) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != ".", name != ".." { remove("\(path)/\(name)") }
            }
            closedir(stream)
        }
        // What cannot be removed is left to the system's own sweep.
        if unlink(path) != 0 { rmdir(path) }
    }

    /// The path of something in it.
    public func path(of name: String) -> String { "\(path)/\(name)" }

    /// Writes a file, and the folders on its way.
    public func write(_ contents: [UInt8], to name: String) throws {
        let parts = name.split(separator: "/")
        for count in 1..<max(parts.count, 1) {
            mkdir(path(of: parts.prefix(count).joined(separator: "/")), 0o700)  // it may be there already
        }
        guard let file = fopen(path(of: name), "wb") else { throw SystemError("fopen") }
        defer { fclose(file) }
        guard fwrite(contents, 1, contents.count, file) == contents.count else { throw SystemError("fwrite") }
    }

    /// Writes a file of text, and the folders on its way.
    public func write(_ text: String, to name: String) throws {
        try write(Array(text.utf8), to: name)
    }
}

/// What a system call came to.
public struct SystemError: Error, CustomStringConvertible {
    /// The call.
    public let call: String
    /// Its errno.
    public let number: Int32

    /// Takes errno as it is.
    public init(_ call: String) {
        number = errno
        self.call = call
    }

    /// The system's words.
    public var description: String { "\(call): \(String(cString: strerror(number)))" }
}
