//! Backup, restore and migrate, on both databases.
