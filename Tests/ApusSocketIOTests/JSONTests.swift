import Testing

@testable import ApusSocketIO

@Suite struct JSONTests {}
