import Apus

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Speaks the client's part in the Autobahn|Testsuite: it asks the suite at the URL in the environment variable
/// `AUTOBAHN_URL` how many cases there are, echoes in each of them, and has the reports written.
@main
struct ConformanceClient {
    let suite: String
    let configuration: WebSocketClient.Configuration

    static func main() async {
        guard let url = getenv("AUTOBAHN_URL") else {
            print("conformance-client: set AUTOBAHN_URL to the suite's address, such as ws://127.0.0.1:9001")
            exit(2)
        }
        do {
            try await ConformanceClient(suite: String(cString: url)).run()
        } catch {
            print("conformance-client: \(error)")
            exit(1)
        }
    }

    init(suite: String) {
        self.suite = suite
        var configuration = WebSocketClient.Configuration()
        configuration.compression = .dedicated()
        configuration.maxMessageBytes = 64 << 20
        configuration.maxFragments = 1 << 17  // the suite sends 65,536 of 64 bytes (case 9.3.1)
        self.configuration = configuration
    }

    func run() async throws {
        let count = try await countCases()
        for number in stride(from: 1, through: count, by: 1) { await echo(inCase: number) }
        try await WebSocketClient.connect("\(suite)/updateReports?agent=Apus", configuration: configuration) { socket in
            for try await _ in socket {}
        }
        print("\(count) cases")
    }

    private func countCases() async throws -> Int {
        let message = try await WebSocketClient.connect("\(suite)/getCaseCount", configuration: configuration) {
            socket in
            var iterator = socket.makeAsyncIterator()
            return try await iterator.next()
        }
        guard case .text(let text) = message, let count = Int(text) else {
            throw UnexpectedAnswer(message: "the suite did not say how many cases there are")
        }
        return count
    }

    private struct UnexpectedAnswer: Error {
        let message: String
    }

    /// Many a case ends with an error, because it breaks the protocol; the suite judges whether that is right.
    private func echo(inCase number: Int) async {
        do {
            let url = "\(suite)/runCase?case=\(number)&agent=Apus"
            try await WebSocketClient.connect(url, configuration: configuration) { socket in
                for try await message in socket { try await socket.send(message) }
            }
        } catch {
            print("case \(number): \(error)")
        }
    }
}
