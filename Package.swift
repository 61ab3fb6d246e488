// swift-tools-version: 6.2
import PackageDescription

/// For every C target: GNU C11, and a warning is an error.
let cSettings: [CSetting] = [
    .define("_GNU_SOURCE"),
    .headerSearchPath("."),
    .enableWarning("all"),
    .enableWarning("extra"),
    .treatAllWarnings(as: .error),
]

/// For every Swift target: a warning is an error.
let swiftSettings: [SwiftSetting] = [
    .treatAllWarnings(as: .error)
]

let package = Package(
    name: "apus",
    platforms: [.macOS(.v26)],
    products: [
        .library(name: "Apus", targets: ["Apus"]),
        .library(name: "ApusSocketIO", targets: ["ApusSocketIO"]),
        .library(name: "ApusTesting", targets: ["ApusTesting"]),
        .library(name: "_CApusCore", targets: ["CApusCore"]),  // for Benchmarks/ only: no promise
        .executable(name: "chat", targets: ["Chat"]),
        .executable(name: "echo-server", targets: ["EchoServer"]),
        .executable(name: "core-echo", targets: ["CoreEcho"]),
        .executable(name: "conformance-client", targets: ["ConformanceClient"]),
        .executable(name: "flask-style-chat", targets: ["FlaskStyleChat"]),
        .executable(name: "socketio-test-server", targets: ["SocketIOTestServer"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // The core: bytes in, bytes out.
        .systemLibrary(
            name: "CZlib",
            path: "CSources/CZlib",
            pkgConfig: "zlib",
            providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]
        ),
        .systemLibrary(
            name: "CISAL",
            path: "CSources/CISAL",
            pkgConfig: "libisal",
            providers: [.apt(["libisal-dev"]), .brew(["isa-l"])]
        ),
        .systemLibrary(
            name: "COpenSSL",
            path: "CSources/COpenSSL",
            pkgConfig: "openssl",
            providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]
        ),
        .target(
            name: "CApusCore", dependencies: ["CZlib", "CISAL", "COpenSSL"], path: "CSources/CApusCore",
            cSettings: cSettings),

        // The network, on libuv.
        .systemLibrary(
            name: "CLibUV",
            path: "CSources/CLibUV",
            pkgConfig: "libuv",
            providers: [.apt(["libuv1-dev"]), .brew(["libuv"])]
        ),
        .target(name: "CApus", dependencies: ["CApusCore", "CLibUV"], path: "CSources/CApus", cSettings: cSettings),
        .executableTarget(
            name: "CoreEcho", dependencies: ["CApus"], path: "CSources/CoreEcho", cSettings: cSettings),

        // The Swift API.
        .target(
            name: "Apus",
            dependencies: [
                "CApus",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings + [
                .enableExperimentalFeature("Lifetimes"),
                .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            ]
        ),

        // What is built on it.
        .target(
            name: "ApusTesting",
            dependencies: [
                "Apus",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings + [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]
        ),
        .target(
            name: "ApusSocketIO",
            dependencies: [
                "Apus",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings + [.enableUpcomingFeature("NonisolatedNonsendingByDefault")]
        ),
        .executableTarget(
            name: "Chat",
            dependencies: [
                "Apus",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
            ],
            resources: [.copy("Resources")],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "EchoServer",
            dependencies: [
                "Apus",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            path: "Sources/Examples/EchoServer",
            swiftSettings: swiftSettings
        ),

        .executableTarget(
            name: "ConformanceClient",
            dependencies: ["Apus"],
            path: "Sources/Examples/ConformanceClient",
            swiftSettings: swiftSettings
        ),

        .executableTarget(
            name: "FlaskStyleChat",
            dependencies: ["Apus", "ApusSocketIO"],
            path: "Sources/Examples/FlaskStyleChat",
            resources: [.copy("Resources")],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "SocketIOTestServer",
            dependencies: ["Apus", "ApusSocketIO"],
            path: "Sources/Examples/SocketIOTestServer",
            swiftSettings: swiftSettings
        ),

        .executableTarget(
            name: "MemoryTestServer",
            dependencies: [
                "Apus",
                "ApusSocketIO",
                "CMalloc",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            path: "Sources/Examples/MemoryTestServer",
            swiftSettings: swiftSettings
        ),

        // What tests share: a client that blocks, a peer's zlib and TLS, and the headers of CApus that are not public.
        .target(
            name: "TestSupport",
            dependencies: ["CZlib", "COpenSSL", .product(name: "Logging", package: "swift-log")],
            path: "Tests/TestSupport",
            swiftSettings: swiftSettings),
        .systemLibrary(name: "CApusInternals", path: "Tests/CApusInternals"),
        .systemLibrary(name: "CMalloc", path: "Tests/CMalloc"),

        .testTarget(
            name: "CApusCoreTests", dependencies: ["CApusCore", "TestSupport"], swiftSettings: swiftSettings),
        .testTarget(
            name: "CApusTests",
            dependencies: ["CApus", "CApusCore", "CApusInternals", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ApusTests",
            dependencies: [
                "Apus",
                "CMalloc",
                "TestSupport",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ApusTestingTests",
            dependencies: [
                "Apus",
                "ApusTesting",
                "TestSupport",
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ApusSocketIOTests",
            dependencies: [
                "Apus",
                "ApusSocketIO",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings
        ),
        // For Scripts/fuzz, which links them with libFuzzer; no tests.
        .testTarget(
            name: "ApusSocketIOFuzz",
            dependencies: ["Apus", "ApusSocketIO"],
            path: "Tests/Fuzz/SocketIO",
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "ChatTests", dependencies: ["Chat", "TestSupport"], swiftSettings: swiftSettings),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu11
)
