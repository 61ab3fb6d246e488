import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

/// An echo, or a broadcast, on SwiftNIO: a `ChannelHandler` behind NIOWebSocket's frames.
@main
struct NIOHandler {
    static func main() async throws {
        let arguments = CommandLine.arguments
        let port = arguments.firstIndex(of: "--port").flatMap { Int(arguments[$0 + 1]) } ?? 0
        let everybody = arguments.contains("broadcast") ? Everybody() : nil
        let upgrader = NIOWebSocketServerUpgrader(
            maxFrameSize: 64 << 20,
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(EchoHandler(everybody: everybody))
                }
            }
        )
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.pipeline.configureHTTPServerPipeline(
                    withServerUpgrade: (upgraders: [upgrader], completionHandler: { _ in })
                )
            }
            .bind(host: "127.0.0.1", port: port).get()
        print("listening on \(server.localAddress!.port!)")  // bound to an address of the Internet
        fflush(nil)
        try await server.closeFuture.get()
    }
}

/// Every open channel; touched on the one event loop only.
final class Everybody: @unchecked Sendable {
    var channels: [ObjectIdentifier: any Channel] = [:]
}

final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let everybody: Everybody?

    init(everybody: Everybody?) { self.everybody = everybody }

    func handlerAdded(context: ChannelHandlerContext) {
        everybody?.channels[ObjectIdentifier(context.channel)] = context.channel
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        everybody?.channels[ObjectIdentifier(context.channel)] = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .text, .binary, .continuation:
            let reply = WebSocketFrame(fin: frame.fin, opcode: frame.opcode, data: frame.unmaskedData)
            if let everybody {
                for channel in everybody.channels.values { channel.writeAndFlush(reply, promise: nil) }
            } else {
                context.write(wrapOutboundOut(reply), promise: nil)
            }
        case .ping:
            let pong = WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData)
            context.write(wrapOutboundOut(pong), promise: nil)
        case .connectionClose:
            context.close(promise: nil)
        default:
            break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
