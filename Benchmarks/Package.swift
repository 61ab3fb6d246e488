// swift-tools-version: 6.2
import PackageDescription

/// The micro benchmarks. The load generator (Load) and the other servers (Peers/swift) are packages of their own, so
/// that neither needs what these need.
let package = Package(
    name: "apus-benchmarks",
    platforms: [.macOS(.v26)],
    dependencies: [
        .package(name: "apus", path: ".."),
        // Without its traits, which would swap malloc and the Swift runtime's retain and release.
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "Micro",
            dependencies: [
                .product(name: "Apus", package: "apus"),
                .product(name: "ApusTesting", package: "apus"),
                .product(name: "_CApusCore", package: "apus"),
                .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/Micro",
            swiftSettings: [.treatAllWarnings(as: .error)],
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
        )
    ],
    swiftLanguageModes: [.v6]
)
