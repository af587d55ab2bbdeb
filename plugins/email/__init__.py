"""E-mail: reads mailboxes over IMAP, answers over SMTP."""
