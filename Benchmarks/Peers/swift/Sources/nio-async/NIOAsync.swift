import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

typealias WebSocketChannel = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>

/// An echo on SwiftNIO: `NIOAsyncChannel` around NIOWebSocket's frames, a task for each connection.
@main
struct NIOAsync {
    static func main() async throws {
        let arguments = CommandLine.arguments
        let port = arguments.firstIndex(of: "--port").flatMap { Int(arguments[$0 + 1]) } ?? 0
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .bind(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture { try upgrade(channel) }
            }
        print("listening on \(server.channel.localAddress!.port!)")  // bound to an address of the Internet
        fflush(nil)
        try await withThrowingDiscardingTaskGroup { group in
            try await server.executeThenClose { connections in
                for try await connection in connections {
                    group.addTask { await serve(connection) }
                }
            }
        }
    }
}

func upgrade(_ channel: any Channel) throws -> EventLoopFuture<WebSocketChannel?> {
    let upgrader = NIOTypedWebSocketServerUpgrader<WebSocketChannel?>(
        maxFrameSize: 64 << 20,
        shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
        upgradePipelineHandler: { channel, _ in
            channel.eventLoop.makeCompletedFuture { try WebSocketChannel(wrappingChannelSynchronously: channel) }
        }
    )
    let configuration = NIOTypedHTTPServerUpgradeConfiguration<WebSocketChannel?>(
        upgraders: [upgrader],
        notUpgradingCompletionHandler: { channel in channel.close().map { nil } }
    )
    return try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
        configuration: .init(upgradeConfiguration: configuration)
    )
}

func serve(_ connection: EventLoopFuture<WebSocketChannel?>) async {
    do {
        try await connection.get()?.executeThenClose { frames, outbound in
            for try await frame in frames {
                switch frame.opcode {
                case .text, .binary, .continuation:
                    try await outbound.write(
                        WebSocketFrame(fin: frame.fin, opcode: frame.opcode, data: frame.unmaskedData))
                case .ping:
                    try await outbound.write(WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData))
                case .connectionClose:
                    return
                default:
                    break
                }
            }
        }
    } catch {
        // The client reset the connection: the end of a load, and nothing to say.
    }
}
