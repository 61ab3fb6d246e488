import Apus
import Foundation
import Logging

/// How the server is to run: each option, else its environment variable, else the default.
struct Settings: Hashable, Sendable {
    /// The options as they were given on the command line; nil where not given.
    struct Options: Hashable, Sendable {
        var host: String?
        var port: String?
        var database: String?
        var threads: String?
        var tlsCertificate: String?
        var tlsKey: String?
        var logLevel: String?
    }

    /// A value that cannot be used, in words that name the option or the variable.
    struct Failure: Error, CustomStringConvertible, Hashable {
        let description: String
    }

    let host: String
    let port: Int
    let database: String
    /// nil: as many as there are cores.
    let threads: Int?
    /// nil: no TLS.
    let tls: TLSConfiguration?
    let logLevel: Logger.Level

    init(_ options: Options, environment: [String: String]) throws(Failure) {
        func setting(_ name: String, _ option: String?) -> Setting {
            Setting(name: name, option: option, environment: environment)
        }
        host = try setting("host", options.host).value("a host name or an address") { $0 } ?? "127.0.0.1"
        port = try setting("port", options.port).value("a number from 0 to 65535", Self.number(0...65_535)) ?? 8080
        database = try setting("database", options.database).value("the name of a file") { $0 } ?? "chat.sqlite"
        threads = try setting("threads", options.threads).value("a number from 1 to 256", Self.number(1...256))
        let certificate = try setting("tls-certificate", options.tlsCertificate).value("the name of a file") { $0 }
        let key = try setting("tls-key", options.tlsKey).value("the name of a file") { $0 }
        tls = try Self.tls(certificate: certificate, key: key)
        let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
        logLevel =
            try setting("log-level", options.logLevel)
            .value("one of \(levels)", Logger.Level.init(rawValue:)) ?? .notice
    }

    private static func tls(certificate: String?, key: String?) throws(Failure) -> TLSConfiguration? {
        switch (certificate, key) {
        case (nil, nil): return nil
        case (let certificate?, let key?): return TLSConfiguration(certificateFile: certificate, keyFile: key)
        default: throw Failure(description: "--tls-certificate and --tls-key go together: one of them is missing")
        }
    }

    private static func number(_ range: ClosedRange<Int>) -> (String) -> Int? {
        { text in Int(text).flatMap { range.contains($0) ? $0 : nil } }
    }
}

/// One setting's two sources.
private struct Setting {
    let name: String
    let option: String?
    let environment: [String: String]

    private var variable: String {
        "CHAT_" + name.uppercased().replacingOccurrences(of: "-", with: "_")
    }

    /// The value of the option, else that of the variable; an empty variable is one that is not set.
    func value<Value>(_ words: String, _ parse: (String) -> Value?) throws(Settings.Failure) -> Value? {
        if let option { return try parsed(option, from: "--\(name)", words, parse) }
        guard let text = environment[variable], !text.isEmpty else { return nil }
        return try parsed(text, from: "the environment variable \(variable)", words, parse)
    }

    private func parsed<Value>(
        _ text: String, from source: String, _ words: String, _ parse: (String) -> Value?
    ) throws(Settings.Failure) -> Value {
        guard !text.isEmpty, let value = parse(text) else {
            throw Settings.Failure(description: "\(source) must be \(words), not '\(text)'")
        }
        return value
    }
}
