"""What a sheet for people calls the codes of the ledger."""

from collections.abc import Mapping

from models.points import Asset, LedgerAccountKind, TransactionKind

ASSETS: Mapping[str, str] = {Asset.POINTS: "积分", Asset.MINUTES: "服务分钟"}
ACCOUNTS: Mapping[str, str] = {
    LedgerAccountKind.MEMBER: "个人",
    LedgerAccountKind.ISSUING_COMMUNITY: "发放社区",
    LedgerAccountKind.MERCHANT: "商户",
    LedgerAccountKind.EXPIRY: "过期",
    LedgerAccountKind.ESCROW: "专项",
    LedgerAccountKind.CORRECTION: "更正",
    LedgerAccountKind.DEBT: "欠分",
}
TRANSACTIONS: Mapping[str, str] = {
    TransactionKind.REWARD: "接单奖励",
    TransactionKind.AWARD: "人工记分",
    TransactionKind.SERVICE: "服务认定",
    TransactionKind.TRANSFER: "转赠",
    TransactionKind.REDEMPTION: "兑换",
    TransactionKind.SETTLEMENT: "商户结算",
    TransactionKind.CONVERSION: "时长折算",
    TransactionKind.CORRECTION: "更正",
    TransactionKind.EXPIRY: "过期",
    TransactionKind.REVERSAL: "冲正",
}
