"""お問い合わせ: threads between an account and the brand's operators (COM-50 … COM-53)."""
