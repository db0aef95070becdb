"""What people do about a document: which acts there are, who may, and that each leaves a trace."""
