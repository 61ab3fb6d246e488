import Foundation
import Testing

@testable import Chat

@Suite struct DatabaseLockTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("chat.sqlite")
    }

    private func failure(_ path: String) -> String? {
        do {
            _ = try DatabaseLock(path: path)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func `a database is locked under every name that leads to its file`() throws {
        let lock = try DatabaseLock(path: path)
        let link = folder.file("link.sqlite")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
        let linkedFolder = folder.path + "-link"
        try FileManager.default.createSymbolicLink(atPath: linkedFolder, withDestinationPath: folder.path)
        defer { unlink(linkedFolder) }
        for name in [path, link, linkedFolder + "/chat.sqlite", folder.path + "/./chat.sqlite"] {
            #expect(failure(name)?.hasPrefix("another chat server is using the database '\(name)'") == true)
        }
        withExtendedLifetime(lock) {}
    }

    @Test func `a link made before the database was leads to the same lock`() throws {
        let link = folder.file("link.sqlite")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
        let lock = try DatabaseLock(path: link)
        #expect(failure(path)?.hasPrefix("another chat server is using") == true)
        withExtendedLifetime(lock) {}
    }

    @Test func `a database with a second name of its own is refused, because SQLite would damage it`() throws {
        do { _ = try DatabaseLock(path: path) }
        let other = folder.file("other.sqlite")
        #expect(link(path, other) == 0)
        #expect(failure(other)?.hasPrefix("the database '\(other)' has several names (hard links)") == true)
        #expect(unlink(other) == 0)
        #expect(failure(path) == nil)
    }

    @Test func `a lock that is released can be taken again`() throws {
        do { _ = try DatabaseLock(path: path) }
        #expect(failure(path) == nil)
    }

    @Test func `a database is locked under the name that it is moved to`() throws {
        let lock = try DatabaseLock(path: path)
        let moved = folder.file("moved.sqlite")
        #expect(rename(path, moved) == 0)
        #expect(failure(moved)?.hasPrefix("another chat server is using the database '\(moved)'") == true)
        withExtendedLifetime(lock) {}
    }

    @Test func `a server of before, which locks a file beside the database alone, is respected`() throws {
        let descriptor = open(path + "-lock", O_CREAT | O_RDWR, 0o644)
        defer { close(descriptor) }
        #expect(descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        #expect(failure(path)?.hasPrefix("another chat server is using the database") == true)
    }
}
