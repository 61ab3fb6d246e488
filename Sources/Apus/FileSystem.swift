#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Reading whole files and directories; Foundation would be a large guest for so little.
package enum FileSystem {
    struct Entry {
        let name: String
        let isDirectory: Bool
        /// When it was last changed, in seconds since 1970.
        let lastModified: Int
    }

    /// The files and directories in a directory, by name; hidden ones are left out.
    static func entries(of directory: String) throws(WebSocketError) -> [Entry] {
        guard let stream = opendir(directory) else { throw unreadable(directory) }
        defer { closedir(stream) }
        var entries: [Entry] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: name.pointee)) {
                    String(cString: $0)
                }
            }
            guard !name.hasPrefix(".") else { continue }
            var status = stat()
            guard stat("\(directory)/\(name)", &status) == 0 else { throw unreadable("\(directory)/\(name)") }
            entries.append(
                Entry(
                    name: name, isDirectory: status.st_mode & S_IFMT == S_IFDIR,
                    lastModified: Int(status.st_mtim.tv_sec)))
        }
        return entries.sorted { $0.name < $1.name }
    }

    /// All bytes of a file.
    package static func contents(of path: String) throws(WebSocketError) -> [UInt8] {
        guard let file = fopen(path, "rb") else { throw unreadable(path) }
        defer { fclose(file) }
        var contents: [UInt8] = []
        while true {
            let chunk = [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
                count = fread(buffer.baseAddress, 1, buffer.count, file)
            }
            contents += chunk
            if chunk.count < 64 << 10 { break }
        }
        guard ferror(file) == 0 else { throw unreadable(path) }
        return contents
    }

    private static func unreadable(_ path: String) -> WebSocketError {
        WebSocketError(.unreadableFile, "cannot read \(path): \(String(cString: strerror(errno)))")
    }
}
