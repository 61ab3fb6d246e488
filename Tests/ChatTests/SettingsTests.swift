import Apus
import Logging
import Testing

@testable import Chat

@Suite struct SettingsTests {
    @Test func `without options and environment the defaults hold`() throws {
        let settings = try Settings(.init(), environment: ["PATH": "/bin"])
        #expect(settings.host == "127.0.0.1")
        #expect(settings.port == 8080)
        #expect(settings.database == "chat.sqlite")
        #expect(settings.threads == nil)
        #expect(settings.tls == nil)
        #expect(settings.logLevel == .notice)
    }

    private static let environment = [
        "CHAT_HOST": "0.0.0.0", "CHAT_PORT": "9000", "CHAT_DATABASE": "/data/chat.sqlite", "CHAT_THREADS": "3",
        "CHAT_LOG_LEVEL": "debug",
    ]

    @Test func `each setting has an environment variable`() throws {
        let settings = try Settings(.init(), environment: Self.environment)
        #expect(settings.host == "0.0.0.0")
        #expect(settings.port == 9000)
        #expect(settings.database == "/data/chat.sqlite")
        #expect(settings.threads == 3)
        #expect(settings.logLevel == .debug)
    }

    @Test func `an option wins over its environment variable`() throws {
        let options = Settings.Options(host: "::1", port: "0", database: "x", threads: "1", logLevel: "error")
        let settings = try Settings(options, environment: Self.environment)
        #expect(settings.host == "::1")
        #expect(settings.port == 0)
        #expect(settings.database == "x")
        #expect(settings.threads == 1)
        #expect(settings.logLevel == .error)
    }

    @Test func `an empty environment variable counts as not set`() throws {
        #expect(try Settings(.init(), environment: ["CHAT_PORT": ""]).port == 8080)
    }

    @Test(arguments: ["", "http", "-1", "65536", "80 80", "8080.0"])
    func `a bad port is refused by the option's name`(port: String) {
        let words = "--port must be a number from 0 to 65535, not '\(port)'"
        #expect(throws: Settings.Failure(description: words)) { try Settings(.init(port: port), environment: [:]) }
    }

    @Test(arguments: [
        ("CHAT_PORT", "99999", "a number from 0 to 65535"),
        ("CHAT_THREADS", "0", "a number from 1 to 256"),
        ("CHAT_LOG_LEVEL", "loud", "one of trace, debug, info, notice, warning, error, critical"),
    ])
    func `a bad environment variable is refused by its name`(variable: String, value: String, wanted: String) {
        let words = "the environment variable \(variable) must be \(wanted), not '\(value)'"
        #expect(throws: Settings.Failure(description: words)) {
            try Settings(.init(), environment: [variable: value])
        }
    }

    @Test func `a certificate and its key make the address https`() throws {
        let options = Settings.Options(tlsCertificate: "chain.pem", tlsKey: "key.pem")
        let settings = try Settings(options, environment: [:])
        #expect(settings.tls == TLSConfiguration(certificateFile: "chain.pem", keyFile: "key.pem"))
        #expect(settings.url(port: 81) == "https://localhost:81")
    }

    @Test(arguments: [Settings.Options(tlsCertificate: "chain.pem"), Settings.Options(tlsKey: "key.pem")])
    func `a certificate without its key, or the other way round, is refused`(options: Settings.Options) {
        let words = "--tls-certificate and --tls-key go together: one of them is missing"
        #expect(throws: Settings.Failure(description: words)) { try Settings(options, environment: [:]) }
    }

    @Test(arguments: [
        ("127.0.0.1", "http://localhost:81"), ("0.0.0.0", "http://localhost:81"), ("::", "http://localhost:81"),
        ("fe80::1", "http://[fe80::1]:81"), ("chat.example", "http://chat.example:81"),
    ])
    func `the printed address can be opened in a browser`(host: String, url: String) throws {
        #expect(try Settings(.init(host: host), environment: [:]).url(port: 81) == url)
    }

    @Test(arguments: [["--port", "x"], ["--threads", "none"], ["--nonsense"], ["stray"]])
    func `the command refuses bad options before it runs`(arguments: [String]) {
        #expect(throws: (any Error).self) { try ChatCommand.parse(arguments) }
    }
}
