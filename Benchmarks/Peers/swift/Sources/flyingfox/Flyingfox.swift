import FlyingFox
import FlyingSocks
import Glibc

/// An echo on FlyingFox.
@main
struct Flyingfox {
    static func main() async throws {
        let arguments = CommandLine.arguments
        let port = arguments.firstIndex(of: "--port").flatMap { UInt16(arguments[$0 + 1]) } ?? 0
        let address = try sockaddr_in.inet(ip4: "127.0.0.1", port: port)
        let server = HTTPServer(address: address, logger: .disabled)
        await server.appendRoute("GET /", to: .webSocket(EchoWSMessageHandler(), frameSize: 64 << 20))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            try await server.waitUntilListening()
            if case .ip4(_, let port) = await server.listeningAddress {
                print("listening on \(port)")
                fflush(nil)
            }
            try await group.waitForAll()
        }
    }
}
