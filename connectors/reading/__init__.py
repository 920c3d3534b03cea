"""What vendors and people wrote, made into the fields of a lead: text, phones, mails, times, names of form fields."""
