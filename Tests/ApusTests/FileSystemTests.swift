@testable import Apus
import Glibc
import TestSupport
import Testing

struct FileSystemTests {
    @Test(arguments: [0, 1, 65535, 65536, 65537, 200_000])
    func `all bytes of a file are read, however many`(count: Int) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let contents = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        try folder.write(contents, to: "file")
        #expect(try FileSystem.contents(of: folder.path(of: "file")) == contents)
    }

    @Test func `a directory lists its entries by name, without hidden ones`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        for name in ["b", "a", ".hidden", "folder/c"] { try folder.write("x", to: name) }
        symlink(folder.path(of: "a"), folder.path(of: "link"))
        let entries = try FileSystem.entries(of: folder.path)
        #expect(entries.map(\.name) == ["a", "b", "folder", "link"])
        #expect(entries.map(\.isDirectory) == [false, false, true, false])
    }

    @Test func `what cannot be read is named`() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        symlink("nowhere", folder.path(of: "broken"))
        for (path, body) in [
            (folder.path(of: "missing"), { _ = try FileSystem.contents(of: folder.path(of: "missing")) }),
            (folder.path(of: "missing"), { _ = try FileSystem.entries(of: folder.path(of: "missing")) }),
            (folder.path(of: "broken"), { _ = try FileSystem.entries(of: folder.path) }),
            (folder.path, { _ = try FileSystem.contents(of: folder.path) }),
        ] as [(String, () throws -> Void)] {
            let error = #expect(throws: WebSocketError.self, performing: body)
            #expect(error?.code == .unreadableFile)
            #expect(error?.message.hasPrefix("cannot read \(path): ") == true)
        }
    }
}
