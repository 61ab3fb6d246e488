// swift-tools-version: 6.2
import PackageDescription

/// GNU C11, and a warning is an error; optimized also where it is built for debugging: a generator has to be light.
let cSettings: [CSetting] = [
    .define("_GNU_SOURCE"),
    .enableWarning("all"),
    .enableWarning("extra"),
    .treatAllWarnings(as: .error),
]

/// A package of its own, without dependencies but OpenSSL and zlib: it measures any WebSocket server.
let package = Package(
    name: "apus-load",
    products: [.executable(name: "apus-load", targets: ["apus-load"])],
    targets: [
        .systemLibrary(name: "COpenSSL", path: "Sources/COpenSSL", pkgConfig: "openssl"),
        .systemLibrary(name: "CZlib", path: "Sources/CZlib", pkgConfig: "zlib"),
        .target(name: "Load", dependencies: ["COpenSSL", "CZlib"], cSettings: cSettings),
        .executableTarget(name: "apus-load", dependencies: ["Load"], cSettings: cSettings),
        .testTarget(name: "LoadTests", dependencies: ["Load"], swiftSettings: [.treatAllWarnings(as: .error)]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu11
)
