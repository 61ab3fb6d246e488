import TestSupport
import Testing

@testable import Apus

/// Each in a process of its own: the gauge is the whole process's.
struct ContentGaugeTests {
    @Test func `content that several responses share counts once, until the last of them has let it go`() async {
        await #expect(processExitsWith: .success) {
            let content = [UInt8](repeating: 1, count: 8 << 20)
            let same = content
            let other = [UInt8](repeating: 1, count: 8 << 20)
            let before = MemoryGauge.current
            for (isHeld, array, expected) in [
                (true, content, 8), (true, same, 8), (true, other, 16), (false, content, 16), (false, other, 8),
                (false, same, 0), (true, other, 8), (false, other, 0),
            ] {
                if isHeld { ContentGauge.hold(array) } else { ContentGauge.release(array) }
                try #require(MemoryGauge.current - before == expected << 20)
            }
        }
    }

    @Test func `what clients have not taken yet of large responses shows in the statistics`() async {
        await #expect(processExitsWith: .success) {
            let size = 16 << 20
            let shared = [UInt8](repeating: 1, count: size)
            try await withServer(
                .with { $0.threads = 1 },
                http: { request in
                    let isShared = request.path == "/shared"
                    return Response(status: .ok, body: isShared ? shared : [UInt8](repeating: 1, count: size))
                }
            ) { server, port in
                let before = server.statistics.memoryNow
                for (path, least, most) in [("/", 3 * size, 4 * size), ("/shared", size, 2 * size)] {
                    let clients = try await onThread {
                        try (0..<3).map { _ in
                            let client = try Client(port: port, receiveBuffer: 4096)
                            try client.sendRequest("GET", path)
                            _ = try client.readAnswer(hasBody: false)
                            return client
                        }
                    }
                    try #require((least..<most).contains(server.statistics.memoryNow - before))
                    try await onThread { for client in clients { try client.reset() } }
                    try await until { server.statistics.memoryNow - before < 1 << 20 }
                }
            }
        }
    }
}
