import Apus
import ArgumentParser
import Foundation
import Logging

/// `chat`: the chat server.
@main
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "A chat server with rooms, history and search.",
        discussion: """
            Open the printed address in a browser. Ctrl-C, or SIGTERM, ends the server.
            An option wins over its environment variable.
            """)

    @Option(help: "Where to listen: 127.0.0.1 this machine alone, 0.0.0.0 for all. [CHAT_HOST] (default: 127.0.0.1)")
    var host: String?

    @Option(help: "The port; 0 takes a free one. [CHAT_PORT] (default: 8080)")
    var port: String?

    @Option(help: "The SQLite file, made if there is none. [CHAT_DATABASE] (default: chat.sqlite)")
    var database: String?

    @Option(help: "How many threads serve connections. [CHAT_THREADS] (default: the number of cores)")
    var threads: String?

    @Option(help: "A certificate and those that sign it, as a PEM file: https and wss. [CHAT_TLS_CERTIFICATE]")
    var tlsCertificate: String?

    @Option(help: "The certificate's private key, as a PEM file. [CHAT_TLS_KEY]")
    var tlsKey: String?

    @Option(help: "trace, debug, info, notice, warning, error or critical. [CHAT_LOG_LEVEL] (default: notice)")
    var logLevel: String?

    func validate() throws {
        _ = try settings()
    }

    func run() async throws {
        let settings = try settings()
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = settings.logLevel
            return handler
        }
        let server = try await ChatServer(settings: settings, logger: Logger(label: "chat"))
        do {
            try await server.run { address in
                // Written at once, also where the output is a pipe that someone waits at.
                FileHandle.standardOutput.write(Data("Chat is ready: \(settings.url(port: address.port))\n".utf8))
            }
        } catch let error as WebSocketError where error.code == .addressInUse {
            throw Settings.Failure(
                description: "the port \(settings.port) is in use; stop what holds it, or name another with --port")
        }
    }

    private func settings() throws -> Settings {
        let options = Settings.Options(
            host: host, port: port, database: database, threads: threads, tlsCertificate: tlsCertificate,
            tlsKey: tlsKey, logLevel: logLevel)
        do {
            return try Settings(options, environment: ProcessInfo.processInfo.environment)
        } catch {
            throw ValidationError(error.description)
        }
    }
}

extension Settings {
    /// The address to open in a browser.
    func url(port: Int) -> String {
        let name =
            switch host {
            case "127.0.0.1", "0.0.0.0", "::", "::1": "localhost"
            case let host where host.contains(":"): "[\(host)]"
            default: host
            }
        return "\(tls == nil ? "http" : "https")://\(name):\(port)"
    }
}
