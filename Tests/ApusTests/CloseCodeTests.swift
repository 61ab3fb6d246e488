import Apus
import Testing

struct CloseCodeTests {
    @Test func `the registered codes have names`() {
        let codes: [CloseCode] = [
            .normalClosure, .goingAway, .protocolError, .unsupportedData, .noStatus, .abnormalClosure, .invalidPayload,
            .policyViolation, .messageTooBig, .mandatoryExtension, .internalError, .serviceRestart, .tryAgainLater,
            .badGateway,
        ]
        #expect(codes.map(\.rawValue) == [1000, 1001, 1002, 1003] + [UInt16](1005...1014))
    }

    @Test func `an application has codes of its own`() {
        #expect(CloseCode(rawValue: 4001) == CloseCode(rawValue: 4001))
        #expect(CloseCode(rawValue: 4001) != .normalClosure)
        #expect("\(CloseCode(rawValue: 4001))" == "4001")
    }
}
