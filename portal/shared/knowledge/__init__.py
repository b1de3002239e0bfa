"""ナレッジ: articles that answer, found in Japanese, followed, judged by their readers (SUP-14,
SUP-15).
"""
