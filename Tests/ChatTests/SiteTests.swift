import Apus
import Foundation
import HTTPTypes
import TestSupport
import Testing

@testable import Chat

@Suite struct SiteTests {
    @Test func `a health check whose client has left is not logged, one that fails is`() async throws {
        let (log, temporary) = (MemoryLog(), try await TemporaryStore(rooms: "Tea"))
        let site = try Site(store: temporary.store, logger: log.logger)
        let request = HTTPRequest(method: .get, scheme: "http", authority: "localhost", path: "/healthz")
        #expect(await site.response(to: request).status == .ok)
        let left = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await site.response(to: request).status
        }
        #expect(await left.value == .serviceUnavailable)
        #expect(log.lines == [])
        try FileManager.default.removeItem(atPath: temporary.folder.file("chat.sqlite"))
        #expect(await site.response(to: request).status == .serviceUnavailable)
        #expect(log.lines.count == 1)
    }
}
