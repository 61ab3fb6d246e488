import Apus
import CMalloc
import Glibc
import HTTPTypes
import TestSupport
import Testing

private let readerCount = getenv("APUS_SLOW_READERS").flatMap { Int(String(cString: $0)) } ?? 0

/// What clients cost that ask for a large file and do not read it.
///
/// Only where `APUS_SLOW_READERS` says how many: the bytes that are counted are the whole process's, so nothing else
/// may run in it. `APUS_SLOW_READERS=200 swift test --filter ResponseMemoryTests`
@Suite(.serialized, .enabled(if: readerCount > 0, "APUS_SLOW_READERS says how many clients"))
struct ResponseMemoryTests {
    private static let size = 32 << 20
    /// A piece of the content, and what a connection and its task take beside it.
    private static let bytesAReader = 128 << 10

    private static var bytesInUse: Int {
        let info = mallinfo2()
        return Int(info.uordblks) + Int(info.hblkhd)
    }

    @Test(arguments: [false, true])
    func `slow readers of a large response share its memory`(isStatic: Bool) async throws {
        var resources = StaticResources()
        let content = [UInt8](repeating: 120, count: Self.size)
        resources.add(content, at: "/")
        try await withServer(
            .with { $0.threads = 1 },
            http: { [resources] request in
                isStatic ? resources.response(to: request) ?? .notFound : Response(status: .ok, body: content)
            }
        ) { server, port in
            let before = Self.bytesInUse
            let clients = try await onThread {
                try (0..<readerCount).map { _ in
                    let client = try Client(port: port, receiveBuffer: 4096)
                    try client.sendRequest()
                    _ = try client.readAnswer(hasBody: false)
                    return client
                }
            }
            // The next answer comes behind whatever the loop does for these.
            try await expectEcho(port: port)
            let grown = Self.bytesInUse - before
            print("\(readerCount) slow readers of \(Self.size >> 20) MiB: \(grown >> 10) KiB more")
            #expect(grown < readerCount * Self.bytesAReader)
            // Nothing is lost: one of them reads after all.
            let count = try await onThread { try clients[0].read(Self.size).count }
            #expect(count == Self.size)
            for client in clients { client.close() }
        }
    }
}
