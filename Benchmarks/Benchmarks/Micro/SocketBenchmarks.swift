import Apus
import ApusTesting
import Benchmark
import Synchronization

/// The Swift API: a message there and back between two ends in memory, and a topic's message to many.
func socketBenchmarks() {
    for bytes in Sizes.all {
        echoBenchmark("echo, for await", bytes: bytes) { socket in
            for try await message in socket { try await socket.send(message) }
        }
        echoBenchmark("echo, receive", bytes: bytes) { socket in
            try await socket.receive { message in
                if socket.trySend(message) == .full { socket.abort() }
            }
        }
        topicBenchmark(bytes: bytes, subscribers: 20)
    }
}

/// How many round trips one measurement makes: many, because joining two ends takes longer than one.
private func trips(_ bytes: Int) -> BenchmarkScalingFactor { bytes <= 16 << 10 ? .kilo : .one }

private func echoBenchmark(_ name: String, bytes: Int, server: @escaping WebSocketServer.Handler) {
    var configuration = Benchmark.defaultConfiguration
    configuration.scalingFactor = trips(bytes)
    Benchmark(Sizes.title(name, bytes, configuration.scalingFactor), configuration: configuration) { benchmark in
        let count = benchmark.scaledIterations.count
        nonisolated(unsafe) let benchmark = benchmark
        try await withWebSocketPair(configuration: large, clientConfiguration: largeClient, server: server) { socket in
            let message = Message.binary([UInt8](repeating: 0x61, count: bytes))
            var messages = socket.makeAsyncIterator()
            benchmark.startMeasurement()
            for _ in 0..<count {
                try await socket.send(message)
                blackHole(try await messages.next())
            }
            benchmark.stopMeasurement()
        }
    }
}

private var large: WebSocketServer.Configuration {
    var configuration = WebSocketServer.Configuration.testing
    configuration.maxMessageBytes = 8 << 20
    configuration.maxOutboundBytes = 64 << 20
    return configuration
}

private var largeClient: WebSocketClient.Configuration {
    var configuration = WebSocketClient.Configuration()
    configuration.maxMessageBytes = 8 << 20
    return configuration
}

/// One message of a topic on its way to all its subscribers, clients over loopback in this process.
private func topicBenchmark(bytes: Int, subscribers: Int) {
    var configuration = Benchmark.defaultConfiguration
    configuration.scalingFactor = bytes <= 16 << 10 ? .kilo : .one
    configuration.maxIterations = 20
    let title = Sizes.title("topic to \(subscribers)", bytes, configuration.scalingFactor)
    Benchmark(title, configuration: configuration) { benchmark in
        let count = benchmark.scaledIterations.count
        nonisolated(unsafe) let benchmark = benchmark
        let server = try WebSocketServer(configuration: large)
        let topic = try server.topic("everybody"), message = Message.binary([UInt8](repeating: 0x61, count: bytes))
        let gate = Gate(subscribers)
        let (addresses, listening) = AsyncStream<SocketAddress>.makeStream()
        await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.run(onListening: { listening.yield($0) }) { socket in
                    try await socket.subscribe(to: topic)
                    gate.pass()
                    for try await _ in socket {}
                }
            }
            for await address in addresses {
                for _ in 0..<subscribers { group.addTask { try await listen(at: address.port, gate) } }
                break
            }
            await gate.opened()  // all are subscribed
            benchmark.startMeasurement()
            for _ in 0..<count {
                topic.tryPublish(message)
                await gate.opened()  // all have heard it
            }
            benchmark.stopMeasurement()
            group.cancelAll()
            while let result = await group.nextResult() { if case .failure(let error) = result { blackHole(error) } }
        }
    }
}

private func listen(at port: Int, _ gate: Gate) async throws {
    try await WebSocketClient.connect("ws://127.0.0.1:\(port)/", configuration: largeClient) { socket in
        try await socket.receive { _ in gate.pass() }
    }
}

/// Opens each time that so many have passed.
private final class Gate: Sendable {
    private let width: Int
    private let left: Atomic<Int>
    private let openings: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init(_ width: Int) {
        self.width = width
        left = Atomic(width)
        (openings, continuation) = AsyncStream<Void>.makeStream()
    }

    func pass() {
        guard left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return }
        left.store(width, ordering: .releasing)
        continuation.yield()
    }

    func opened() async {
        for await _ in openings { return }
    }
}
