package resolvers

import "clerkql/clerksvc"

func fieldMessage(reason clerksvc.FieldReason) string {
	switch reason {
	case clerksvc.FieldRequired:
		return "This must not be empty."
	case clerksvc.FieldInvalidCharacters:
		return "This has characters that can't be used."
	case clerksvc.FieldTooLong:
		return "This is too long."
	case clerksvc.FieldInvalidHandle:
		return "This is not an id that was given out for this step. Begin again."
	case clerksvc.FieldNotAvailable:
		return "This is none of the choices."
	case clerksvc.FieldInvalidFormat:
		return "This does not have the right form."
	default:
		return "This can't be used."
	}
}

func passwordRuleMessage(rule clerksvc.PasswordRule) string {
	switch rule {
	case clerksvc.PasswordMinLength:
		return "Use more characters."
	case clerksvc.PasswordMaxLength:
		return "Use fewer characters."
	case clerksvc.PasswordMaxBytes:
		return "Use fewer characters. One outside plain ASCII takes the room of two to four."
	case clerksvc.PasswordUppercase:
		return "Use at least one upper-case letter."
	case clerksvc.PasswordLowercase:
		return "Use at least one lower-case letter."
	case clerksvc.PasswordDigit:
		return "Use at least one digit."
	case clerksvc.PasswordSpecialCharacter:
		return "Use at least one character that is neither letter nor digit."
	case clerksvc.PasswordStrength:
		return "Use a password that is harder to guess."
	case clerksvc.PasswordNotLeaked:
		return "Use a password that is on no list of leaked passwords."
	case clerksvc.PasswordNotIdentifier:
		return "Use a password without your address or name in it."
	case clerksvc.PasswordForbiddenWord:
		return "Use a password without the words that are easy to guess here, such as this product's name."
	case clerksvc.PasswordOther:
		return "Use another password."
	default:
		return "Use another password."
	}
}
